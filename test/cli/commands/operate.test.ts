import assert from 'node:assert/strict'
import { createCipheriv, randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { IMPORT_FORMATS } from '../../../src/operations/import/keys.ts'
import { newRecipient } from '../../../src/toolkit/encryptor/certificate.ts'
import { sharedPostgres } from '../../adapters/store/postgres/server.ts'
import { PACKAGE, type Run, run, start, temporaryDirectory } from '../run.ts'

const directory = temporaryDirectory()

/** Members of contents and of audit records that the tests read. */
interface Listed {
  readonly contentId?: string
  readonly state: string
  readonly action: string
  readonly outcome: string
  readonly reason?: string
}

/** Keys that must not be told of. */
const secrets: Buffer[] = []

function newKey(): Buffer {
  const key = randomBytes(16)
  secrets.push(key)
  return key
}

function checkValueOf(key: Buffer): string {
  return createCipheriv('aes-128-ecb', key, null).update(Buffer.alloc(16)).toString('hex', 0, 3)
}

async function operate(data: string, args: readonly string[], stdin?: string): Promise<Run> {
  const done = await run([...args, '--data', data], stdin === undefined ? {} : { stdin })
  for (const secret of secrets) {
    for (const spelling of ['hex', 'base64', 'base64url'] as const) {
      assert.ok(!`${done.stdout}${done.stderr}`.includes(secret.toString(spelling)), `${args.join(' ')} tells a key`)
    }
  }
  return done
}

async function json(data: string, args: readonly string[], stdin?: string) {
  const { code, stdout, stderr } = await operate(data, [...args, '--json'], stdin)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

/** A store from which an encryptor took keys: the example of two kids. */
async function servedStore(
  name: string,
): Promise<{ readonly data: string; readonly contentId: string; readonly kids: readonly string[] }> {
  const data = join(directory, name)
  const server = start(['serve', '--port', '0', '--data', data])
  const [, url = ''] = await server.stderr(/listens on (\S+),/)
  const document = readFileSync(join(PACKAGE, 'docs/examples/widevine-playready-cenc.xml'), 'utf8')
  const response = await fetch(`${url}/copyProtection`, {
    method: 'POST',
    headers: { 'content-type': 'application/xml', 'x-speke-version': '2.0' },
    body: document,
  })
  const answer = await response.text()
  for (const [, key = ''] of answer.matchAll(/PlainValue>([^<]+)</g)) secrets.push(Buffer.from(key, 'base64'))
  server.signal('SIGTERM')
  assert.equal((await server.done).code, 0)
  const [, contentId = ''] = /contentId="([^"]+)"/.exec(document) ?? []
  return {
    data,
    contentId,
    kids: [...document.matchAll(/<cpix:ContentKey [^>]*kid="([^"]+)"/g)].map(([, kid = '']) => kid),
  }
}

test('imports keys once, lists them, shows their check values, and deletes them only with a reason', async () => {
  const data = join(directory, 'imported')
  const [key, kid] = [newKey(), randomUUID()]
  const file = join(directory, 'keys.csv')
  writeFileSync(file, `contentId,kid,key\nfilm,${kid},${key.toString('hex')}\n`)

  const dry = await operate(data, ['keys', 'import', file, '--dry-run'])
  assert.deepEqual(
    [dry.stdout, dry.stderr],
    [
      `film  ${kid}  drm  would be stored  check value ${checkValueOf(key)}\nwould be stored: 1, there already: 0, refused: 0\n`,
      '',
    ],
  )
  assert.equal(existsSync(data), false, 'a dry run writes nothing at all')
  const first = await operate(data, ['keys', 'import', file])
  assert.equal(
    first.stdout,
    `film  ${kid}  drm  stored  check value ${checkValueOf(key)}\nstored: 1, there already: 0, refused: 0\n`,
  )
  assert.equal((await json(data, ['keys', 'import', file])).same, 1)
  const before = readdirSync(data, { recursive: true }).sort()
  const again = await json(data, ['keys', 'import', file, '--dry-run'])
  assert.deepEqual([again.dryRun, again.same], [true, 1])
  assert.deepEqual(readdirSync(data, { recursive: true }).sort(), before)

  const licence = join(directory, 'licence.json')
  const [k, kidBytes] = [key, Buffer.from(kid.replaceAll('-', ''), 'hex')].map((bytes) => bytes.toString('base64url'))
  writeFileSync(licence, JSON.stringify({ keys: [{ kty: 'oct', kid: kidBytes, k }] }))
  assert.equal((await json(data, ['keys', 'import', licence, '--content-id', 'film'])).same, 1)

  const other = `[{"contentId":"film","kid":"${kid}","key":"${newKey().toString('base64')}"}]`
  const refused = await operate(data, ['keys', 'import', '-', '--format', 'json'], other)
  assert.equal(refused.code, 4)
  assert.match(refused.stderr, /--force --reason TEXT/)

  assert.deepEqual((await json(data, ['keys', 'list', '--content-id', 'film'])).keys, [
    { kid, class: 'drm', source: 'override', issued: false, intendedTrackTypes: [] },
  ])
  const shown = await json(data, ['keys', 'show', '--content-id', 'film', '--kid', kid])
  assert.equal(shown.keys[0].checkValue, checkValueOf(key))

  const name = ['--content-id', 'film', '--kid', kid]
  assert.equal((await operate(data, ['keys', 'delete', ...name])).code, 4)
  assert.equal((await operate(data, ['keys', 'delete', ...name, '--force'])).code, 2)
  const removed = await operate(data, ['keys', 'delete', ...name, '--force', '--reason', 'wrong key'])
  assert.equal(removed.stdout, 'removed\n', removed.stderr)
})

test('rejects an invalid file with every problem, and stores nothing of it', async () => {
  const data = join(directory, 'unread')
  const key = newKey().toString('hex')
  const lines = `contentId,kid,key\nfilm,not-a-kid,${key}\nfilm,${randomUUID()},${key.slice(1)}\nok,${randomUUID()},${key}\n`
  const { code, stderr } = await operate(data, ['keys', 'import', '-', '--format', 'csv'], lines)
  assert.equal(code, 2)
  assert.match(stderr, /2 problems/)
  const unnamed = await operate(data, ['keys', 'import', '-', '--format', 'csv'], `kid,key\n${randomUUID()},${key}\n`)
  assert.match(unnamed.stderr, /\nhint: .*--content-id/)
  assert.equal((await operate(data, ['contents', 'list'])).stdout, '')
})

test('the help names every format that can be imported', async () => {
  const { stdout } = await run(['keys', 'import', '--help'])
  for (const name of IMPORT_FORMATS.keys()) assert.ok(stdout.includes(`"${name}"`), name)
})

test('finds issued keys by content and by kid', async () => {
  const { data, contentId, kids } = await servedStore('served')
  const listed = await json(data, ['keys', 'list', '--content-id', contentId])
  assert.deepEqual(listed.keys.map(({ kid }: { kid: string }) => kid).sort(), [...kids].sort())
  assert.ok(
    listed.keys.every(({ source, issued }: { source: string; issued: boolean }) => source === 'derived' && issued),
  )
  const found = await json(data, ['kids', 'show', kids[0] ?? ''])
  assert.equal(found.contents[0].contentId, contentId)
  const said = await operate(data, ['kids', 'show', (kids[0] ?? '').toUpperCase()])
  assert.match(said.stdout, new RegExp(`^${contentId}  drm cenc `))
  const shown = await operate(data, ['contents', 'show', '--content-id', contentId])
  assert.match(shown.stdout, /period \(none\): 2 keys, requested once/)
  assert.equal((await operate(data, ['kids', 'show', randomUUID()])).code, 4)
  assert.equal((await operate(data, ['kids', 'show', 'film'])).code, 2)
})

test('holds, releases and destroys a content, and records each step in the audit log', async () => {
  const { data, contentId } = await servedStore('destroyed')
  const of = ['--content-id', contentId]
  assert.equal((await operate(data, ['contents', 'delete', ...of])).code, 2, 'without a reason')
  assert.equal((await operate(data, ['contents', 'hold', ...of, '--reason', 'case 12'])).code, 0)
  assert.equal((await json(data, ['contents', 'show', ...of])).state, 'held')
  const refused = await operate(data, ['contents', 'delete', ...of, '--reason', 'clean'])
  assert.deepEqual([refused.code, /legal hold \(case 12\)/.test(refused.stderr)], [4, true])
  assert.equal((await operate(data, ['contents', 'release', ...of, '--reason', 'closed'])).code, 0)
  assert.equal((await operate(data, ['contents', 'delete', ...of, '--reason', 'clean'])).code, 0)
  const [only] = (await json(data, ['contents', 'list'])).contents
  assert.equal(only.destroyed.reason, 'clean')
  assert.equal((await operate(data, ['keys', 'list', '--content-id', 'other'])).code, 4)
  assert.match((await operate(data, ['keys', 'list', ...of])).stderr, /was destroyed/)

  const node = readdirSync(join(data, 'audit')).find((name) => name.endsWith('-cli')) ?? ''
  const [day = ''] = readdirSync(join(data, 'audit', node)).filter((name) => name.endsWith('.jsonl'))
  const log = join(data, 'audit', node, day)
  const records = readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    records
      .filter(({ action }) => action !== 'audit.start')
      .map(({ action, outcome, reason }) => `${action} ${outcome} ${reason}`),
    [
      'content.hold begun case 12',
      'content.hold ok case 12',
      'content.delete begun clean',
      'content.delete refused clean',
      'content.release begun closed',
      'content.release ok closed',
      'content.delete begun clean',
      'content.delete ok clean',
    ],
  )

  assert.equal((await json(data, ['audit', 'verify'])).problems, 0)
  assert.equal((await json(data, ['audit', 'verify', '--node', node])).chains, 1)
  const unknown = await operate(data, ['audit', 'verify', '--node', 'keys-9', node])
  assert.equal(unknown.code, 2)
  assert.match(unknown.stderr, /^keyspring: --node: there is no log of keys-9; there are .*-cli\n/)
  const whole = readFileSync(log, 'utf8')
  writeFileSync(log, whole.replace('"reason":"case 12"', '"reason":"case 13"'))
  const edited = await operate(data, ['audit', 'verify'])
  assert.equal(edited.code, 6)
  assert.match(edited.stdout, /^problem {2}edited {2}\S+\.jsonl:\d+ /m)
  assert.match(edited.stderr, /the audit log \S+ is broken: 1 problem/)
  writeFileSync(log, whole.split('\n').slice(0, -2).join('\n').concat('\n'))
  const cut = await operate(data, ['audit', 'verify'])
  assert.deepEqual([cut.code, /truncated/.test(cut.stdout)], [6, true])
  writeFileSync(log, whole)
  assert.equal((await operate(data, ['audit', 'verify'])).code, 0)
})

test('sweeps expired contents as a server does', async () => {
  const data = join(directory, 'swept')
  const file = join(directory, 'swept.yaml')
  writeFileSync(
    file,
    'retention:\n  classes: {brief: {keep: 1s, grace: 1s}}\n  contents: [{contentId: "brief-*", class: brief}]\n',
  )
  const keys = ['brief-1', 'kept'].map((contentId) => ({ contentId, kid: randomUUID(), key: newKey().toString('hex') }))
  const imported = await json(data, ['keys', 'import', '-', '--format', 'json', '--config', file], JSON.stringify(keys))
  assert.equal(imported.stored, 2)
  await new Promise((resolve) => setTimeout(resolve, 2_100))
  const unread = await operate(data, ['contents', 'sweep'])
  assert.deepEqual([unread.code, /name the configuration of the server with --config/.test(unread.stderr)], [2, true])
  const plan = await json(data, ['contents', 'sweep', '--dry-run', '--config', file])
  assert.deepEqual(
    plan.contents.map(({ contentId, action }: { contentId: string; action: string }) => [contentId, action]),
    [['brief-1', 'destroy']],
  )
  assert.equal((await json(data, ['contents', 'sweep', '--config', file])).destroyed, 1)
  const listed = await operate(data, ['contents', 'list', '--config', file])
  assert.match(
    listed.stdout,
    /^brief-1 {2}destroyed {2}brief {2}expired, destroyed \S+Z: its retention period ended on \S+Z\nkept {2}active {2}forever\n$/,
  )
})

test('contents whose IDs start with a text are shown first, and destroyed once their number is confirmed', async () => {
  const data = join(directory, 'bulk')
  const ids = ['trial-1', 'trial-2', 'trial-held', 'kept']
  const keys = ids.map((contentId) => ({ contentId, kid: randomUUID(), key: newKey().toString('hex') }))
  await json(data, ['keys', 'import', '-', '--format', 'json'], JSON.stringify(keys))
  await operate(data, ['contents', 'hold', '--content-id', 'trial-held', '--reason', 'case 12'])
  const bulk = ['contents', 'delete', '--starts-with', 'trial-', '--reason', 'trial ended']

  const preview = await operate(data, bulk)
  assert.equal(
    preview.stdout,
    'trial-1  would be destroyed\ntrial-2  would be destroyed\ntrial-held  is held and stays\n' +
      '2 contents would be destroyed: add --confirm 2 to destroy them\n',
  )
  assert.deepEqual(await json(data, bulk), {
    preview: true,
    contents: ['trial-1', 'trial-2'],
    held: ['trial-held'],
  })
  const states = async () => (await json(data, ['contents', 'list'])).contents.map(({ state }: Listed) => state)
  const other = await operate(data, [...bulk, '--confirm', '3'])
  assert.deepEqual([other.code, /2 contents would be destroyed, not 3/.test(other.stderr)], [2, true])
  assert.deepEqual(await states(), ['active', 'active', 'active', 'held'])

  const done = await json(data, [...bulk, '--confirm', '2'])
  assert.deepEqual(done, { preview: false, destroyed: 2, held: ['trial-held'] })
  assert.deepEqual(await states(), ['active', 'destroyed', 'destroyed', 'held'])
  const { records } = await json(data, ['audit', 'list', '--action', 'content.delete', '--outcome', 'ok'])
  assert.deepEqual(
    records.map(({ contentId, reason }: Listed) => [contentId, reason]),
    [
      ['trial-1', 'trial ended'],
      ['trial-2', 'trial ended'],
    ],
  )
  for (const args of [[], ['--content-id', 'a', '--starts-with', 'b'], ['--starts-with', '']])
    assert.equal((await operate(data, ['contents', 'delete', '--reason', 'x', ...args])).code, 2, args.join(' '))
})

test('the audit log is listed by action, content, kid, caller, time and number', async () => {
  const data = join(directory, 'listed')
  const kids = [randomUUID(), randomUUID()]
  const keys = kids.map((kid, i) => ({ contentId: `film-${i}`, kid, key: newKey().toString('hex') }))
  await json(data, ['keys', 'import', '-', '--format', 'json'], JSON.stringify(keys))
  await operate(data, ['contents', 'hold', '--content-id', 'film-1', '--reason', 'case 12'])
  await operate(data, ['contents', 'hold', '--content-id', 'nonesuch', '--reason', 'case 13'])
  const listed = async (...filters: readonly string[]): Promise<readonly string[]> => {
    const { records } = await json(data, ['audit', 'list', ...filters])
    return records.map(({ action, outcome, contentId = '' }: Listed) => `${action} ${outcome} ${contentId}`.trim())
  }
  assert.deepEqual(await listed('--action', 'content.*', '--outcome', 'ok'), ['content.hold ok film-1'])
  assert.deepEqual(await listed('--outcome', 'refused', 'failed'), ['content.hold refused nonesuch'])
  assert.deepEqual(await listed('--content-id', 'film-*', '--last', '1'), ['content.hold ok film-1'])
  assert.ok((await listed('--kid', kids[0] ?? '')).every((line) => line.startsWith('key.import')))
  assert.deepEqual(await listed('--actor', 'nobody-here'), [])
  assert.deepEqual(await listed('--until', '2026-01-01'), [])
  assert.deepEqual(await listed('--since', '2026-01-01T00:00:00Z', '--tenant', 'other'), [])
  assert.deepEqual(await listed('--node', 'other'), [])
  const text = await operate(data, ['audit', 'list', '--action', 'content.hold', '--outcome', 'ok'])
  assert.match(
    text.stdout,
    /^\S+Z {2}\S+-cli {2}content\.hold {2}ok {2}default {2}cli:\S+ {2}film-1 {2}reason: case 12 {2}request \S+\n$/,
  )
  assert.equal((await operate(data, ['audit', 'list', '--since', 'yesterday'])).code, 2)
})

test('escapes control characters of a contentId', async () => {
  const data = join(directory, 'odd')
  const keys = [{ contentId: 'b\u202ec', kid: randomUUID(), key: newKey().toString('hex') }]
  await operate(data, ['keys', 'import', '-', '--format', 'json'], JSON.stringify(keys))
  const { stdout } = await operate(data, ['contents', 'list'])
  assert.match(stdout, /^b\\u202ec {2}active/)
})

test('exports keys encrypted for a recipient, or in the clear only with --clear', async () => {
  const data = join(directory, 'exported')
  const [key, kid] = [newKey(), randomUUID()]
  await operate(
    data,
    ['keys', 'import', '-', '--format', 'json'],
    JSON.stringify([{ contentId: 'film', kid, key: key.toString('hex') }]),
  )
  const { certificate, privateKey } = newRecipient(Date.now(), randomBytes)
  const [pem, own, out] = ['recipient.pem', 'own.pem', 'film.xml'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(
    pem,
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate).toString('base64')}\n-----END CERTIFICATE-----\n`,
  )
  writeFileSync(own, `${privateKey.export({ type: 'pkcs8', format: 'pem' })}${readFileSync(pem)}`, { mode: 0o600 })

  const of = ['keys', 'export', '--content-id', 'film']
  assert.equal((await operate(data, [...of, '--out', out])).code, 2, 'neither encrypted nor said to be clear')
  const exported = await json(data, [...of, '--out', out, '--recipient', pem])
  assert.deepEqual(exported.keys, [{ kid, contentKeyClass: 'drm' }])
  assert.equal(statSync(out).mode & 0o777, 0o600)
  assert.ok(!readFileSync(out, 'utf8').includes('PlainValue'))
  assert.equal((await operate(data, [...of, '--out', out, '--recipient', pem])).code, 1, 'the file is there')

  const elsewhere = join(directory, 'elsewhere')
  const brought = await operate(elsewhere, ['keys', 'import', out, '--import-key', own])
  assert.match(brought.stdout, new RegExp(`^film  ${kid}  drm  stored  check value ${checkValueOf(key)}\n`))

  const clear = join(directory, 'film.json')
  assert.equal((await operate(data, [...of, '--format', 'json', '--clear', '--out', clear])).code, 0)
  assert.match(readFileSync(clear, 'utf8'), new RegExp(kid))
  const audit = await operate(data, ['audit', 'verify'])
  assert.equal(audit.code, 0)
})

test('the same on PostgreSQL', async () => {
  const postgres = await sharedPostgres()
  const url = join(directory, 'url')
  writeFileSync(url, `${(await postgres.newUrl()).reveal()}\n`, { mode: 0o600 })
  const environment = { KEYSPRING_STORE_FILE: url }
  const data = join(directory, 'postgres')
  const on = (args: readonly string[], stdin = '') => run([...args, '--data', data], { environment, stdin })
  assert.equal((await on(['store', 'migrate'])).code, 0)
  const [key, kid] = [newKey(), randomUUID()]
  const keys = JSON.stringify([{ contentId: 'film', kid, key: key.toString('hex') }])
  const imported = await on(['keys', 'import', '-', '--format', 'json'], keys)
  assert.match(imported.stdout, /stored: 1, there already: 0, refused: 0/, imported.stderr)
  assert.match((await on(['keys', 'import', '-', '--format', 'json'], keys)).stdout, /there already: 1/)
  const of = ['--content-id', 'film']
  assert.match((await on(['keys', 'show', ...of, '--kid', kid])).stdout, new RegExp(`check value ${checkValueOf(key)}`))
  assert.equal((await on(['contents', 'hold', ...of, '--reason', 'case 12'])).code, 0)
  assert.match((await on(['contents', 'list'])).stdout, /^film {2}held {2}forever/)
  assert.equal((await on(['contents', 'delete', ...of, '--reason', 'clean'])).code, 4)
  assert.equal((await on(['contents', 'release', ...of, '--reason', 'closed'])).code, 0)
  assert.equal((await on(['contents', 'delete', ...of, '--reason', 'clean'])).code, 0)
  assert.equal((await on(['keys', 'show', ...of, '--kid', kid])).code, 4)
  const other = join(directory, 'postgres-2')
  const elsewhere = {
    environment: { ...environment, KEYSPRING_AUDIT_NODE: 'keys-2', KEYSPRING_ROOT_KEY_FILE: join(data, 'root.key') },
  }
  const onOther = (args: readonly string[]) => run([...args, '--data', other], elsewhere)
  assert.equal((await onOther(['override', 'add', '--content-id', 'film-2', '--new-kid', kid])).code, 0)
  const fromOther = await onOther(['audit', 'verify', '--json'])
  assert.deepEqual([fromOther.code, JSON.parse(fromOther.stdout).problems], [0, 0], fromOther.stdout)
  assert.equal(JSON.parse(fromOther.stdout).elsewhere.length, 1, 'the other node is named, not missing')
  assert.equal((await onOther(['audit', 'verify', '--node', ...JSON.parse(fromOther.stdout).elsewhere])).code, 6)
  const verified = await on(['audit', 'verify'])
  assert.deepEqual([verified.code, / 0 problems, 0 warnings\n$/.test(verified.stdout)], [0, true], verified.stdout)
})
