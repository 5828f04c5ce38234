import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { issuerOf } from '../../../callers/certificates.ts'
import { type Run, run, temporaryDirectory } from '../../run.ts'

const directory = temporaryDirectory()
let stores = 0

/** The commands over a store of their own. */
function clientsIn(data = join(directory, `store-${stores++}`)) {
  const client = (...args: readonly string[]): Promise<Run> => run(['client', ...args, '--data', data])
  const done = async (...args: readonly string[]): Promise<Run> => {
    const ended = await client(...args)
    assert.equal(ended.code, 0, ended.stderr)
    return ended
  }
  const list = async () =>
    (JSON.parse((await done('list', '--json')).stdout) as { readonly clients: readonly Listed[] }).clients
  return { data, client, done, list }
}

interface Listed {
  readonly name: string
  readonly tenant: string
  readonly scopes: readonly string[]
  readonly contentIds?: readonly string[]
  readonly recipientFingerprints?: readonly string[]
  readonly signalingProfile?: string
  readonly credentials: readonly { readonly method: string; readonly id: string; readonly notAfter?: string }[]
}

const secretOf = ({ stdout }: Run, name: string): string =>
  new RegExp(`^${name}: (.+)$`, 'm').exec(stdout)?.[1] ?? assert.fail(`no ${name} in ${stdout}`)

describe('keyspring client', () => {
  test('add creates a client and shows its token once; the store does not hold it', async () => {
    const { data, done, list } = clientsIn()
    const token = secretOf(await done('add', '--name', 'live'), 'token')
    assert.match(token, /^ks_[0-9a-f]{16}_[\w-]{43}$/)
    assert.deepEqual(await list(), [
      {
        name: 'live',
        tenant: 'default',
        scopes: ['keys:issue'],
        credentials: [{ method: 'token', id: token.split('_')[1] }],
      },
    ])
    assert.equal(readFileSync(join(data, 'keyspring.db')).indexOf(token.split('_').slice(2).join('_')), -1)
  })

  test('add stores tenant, scopes, contents, recipients and profile', async () => {
    const { done, list } = clientsIn()
    await done(
      ...['add', '--name', 'aws', '--tenant', 'studio', '--scope', 'keys:issue', 'keys:read'],
      ...['--content-id', 'live-*', 'vod', '--recipient', 'AB:'.repeat(31).concat('AB')],
      ...['--signaling-profile', 'mediapackage-v2', '--not-after', '2030-01-01T00:00:00Z'],
    )
    const [{ credentials, ...client } = assert.fail('no client')] = await list()
    assert.deepEqual(client, {
      name: 'aws',
      tenant: 'studio',
      scopes: ['keys:issue', 'keys:read'],
      contentIds: ['live-*', 'vod'],
      recipientFingerprints: ['ab'.repeat(32)],
      signalingProfile: 'mediapackage-v2',
    })
    assert.equal(credentials[0]?.notAfter, '2030-01-01T00:00:00.000Z')
  })

  test('add creates a credential of every method for one client', async () => {
    const { data, done, list } = clientsIn()
    const pem = join(directory, 'client.crt')
    const { cert, fingerprint } = issuerOf('test').issue('client', ['DNS:a.example'])
    writeFileSync(pem, cert)
    const config = join(directory, 'jwt.yaml')
    writeFileSync(config, 'auth: { jwt: { issuer: https://i.example, audience: keys, jwks: keys.json } }\n')
    const password = join(directory, 'password')
    writeFileSync(password, 'a password that is there\n')
    const told: string[] = []
    for (const args of [
      ['--method', 'token'],
      ['--method', 'basic', '--id', 'encoder'],
      ['--method', 'digest', '--id', 'encoder', '--password-file', password],
      ['--method', 'sigv4'],
      ['--method', 'jwt', '--id', 'subject', '--config', config],
      ['--method', 'certificate', '--certificate-file', pem],
      ['--method', 'certificate', '--id', 'DNS:b.example'],
      ['--method', 'gateway', '--id', 'arn:aws:iam::123456789012:role/Speke'],
      ['--method', 'signer', '--id', 'widevine_test'],
    ]) {
      const { stdout } = await done('add', '--name', 'encoder', ...args)
      told.push(
        ...[...stdout.matchAll(/^(?:token|password|secret access key|AES .*): (.*)$/gm)].map(([, one = '']) => one),
      )
    }
    const [{ credentials } = assert.fail('no client')] = await list()
    assert.deepEqual(
      credentials.map(({ method }) => method),
      ['token', 'basic', 'digest', 'sigv4', 'jwt', 'certificate', 'certificate', 'gateway', 'signer'],
    )
    assert.equal(credentials[5]?.id, fingerprint)
    assert.equal(told.length, 6)
    assert.equal(told[2], 'a password that is there')
    const db = new DatabaseSync(join(data, 'keyspring.db'))
    const kept = JSON.stringify(db.prepare('SELECT * FROM client').all())
    db.close()
    for (const secret of told) assert.ok(!kept.includes(secret))
  })

  test('rotate adds a second credential and ends the first after an overlap', async () => {
    const { done, client, list } = clientsIn()
    const first = secretOf(await done('add', '--name', 'live'), 'token')
    const before = Date.now()
    const second = secretOf(await done('rotate', '--name', 'live', '--method', 'token', '--overlap', '2'), 'token')
    assert.notEqual(first, second)
    const [{ credentials } = assert.fail('no client')] = await list()
    const [old, fresh] = credentials
    const ends = Date.parse(old?.notAfter ?? '') - before
    assert.ok(ends >= 7_200_000 && ends < 7_260_000, String(ends))
    assert.equal(fresh?.notAfter, undefined)
    const third = await client('rotate', '--name', 'live', '--method', 'token')
    assert.equal(third.code, 2)
    assert.match(third.stderr, /more than 2 token credentials/)
  })

  test('rotate replaces an expired credential', async () => {
    const { done, list } = clientsIn()
    await done('add', '--name', 'live', '--method', 'digest', '--id', 'encoder')
    await done('rotate', '--name', 'live', '--method', 'digest', '--overlap', '0')
    await done('rotate', '--name', 'live', '--method', 'digest', '--overlap', '0')
    const [{ credentials } = assert.fail('no client')] = await list()
    assert.deepEqual(
      credentials.map(({ id }) => id),
      ['encoder-2', 'encoder-3'],
    )
  })

  test('remove removes a credential, or the client, and warns of the last client', async () => {
    const { done, list } = clientsIn()
    await done('add', '--name', 'live', '--method', 'basic', '--id', 'encoder')
    await done('add', '--name', 'live', '--method', 'gateway', '--id', '123456789012')
    const first = await done('remove', '--name', 'live', '--method', 'basic', '--id', 'encoder')
    assert.doesNotMatch(first.stderr, /warning/)
    assert.deepEqual((await list())[0]?.credentials, [{ method: 'gateway', id: '123456789012' }])
    const last = await done('remove', '--name', 'live')
    assert.match(last.stderr, /^warning: the store has no client left\. Add one before you reload/)
    assert.deepEqual(await list(), [])
  })

  const REFUSED: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['a name with a space', ['add', '--name', 'a b'], /--name: expected/],
    ['a tenant with a slash', ['add', '--name', 'a', '--tenant', 'a/b'], /--tenant: expected/],
    ['an unknown scope', ['add', '--name', 'a', '--scope', 'root'], /--scope: expected keys:issue/],
    ['an unknown profile', ['add', '--name', 'a', '--signaling-profile', 'x'], /no signalling profile/],
    ['a recipient that is none', ['add', '--name', 'a', '--recipient', 'ab'], /--recipient: expected/],
    ['an unknown method', ['add', '--name', 'a', '--method', 'magic'], /--method/],
    ['a user without a name', ['add', '--name', 'a', '--method', 'basic'], /--id: a user name/],
    ['a user name with a quote', ['add', '--name', 'a', '--method', 'digest', '--id', 'a"b'], /without spaces, quotes/],
    ['a subject without an issuer', ['add', '--name', 'a', '--method', 'jwt', '--id', 'a'], /auth\.jwt\.issuer/],
    ['a gateway caller that is none', ['add', '--name', 'a', '--method', 'gateway', '--id', 'x'], /account number/],
    ['an odd end', ['add', '--name', 'a', '--not-after', 'soon'], /--not-after: expected/],
    ['a client that is not there', ['rotate', '--name', 'b', '--method', 'token'], /no client of this name/],
    ['a method it has not', ['rotate', '--name', 'known', '--method', 'basic'], /no basic credential/],
    ['an overlap that is none', ['rotate', '--name', 'known', '--method', 'token', '--overlap', 'x'], /--overlap/],
    ['a change of a client by the way', ['add', '--name', 'known', '--tenant', 'other'], /the client exists already/],
    ['a credential it has not', ['remove', '--name', 'known', '--method', 'basic', '--id', 'x'], /no basic credential/],
    ['half of a credential', ['remove', '--name', 'known', '--method', 'basic'], /--method and --id/],
    ['a user of another client', ['add', '--name', 'x', '--method', 'basic', '--id', 'taken'], /has it too/],
  ]
  test('rejects invalid options, and changes nothing', async () => {
    const { client, done, list } = clientsIn()
    await done('add', '--name', 'known')
    await done('add', '--name', 'other', '--method', 'basic', '--id', 'taken')
    const before = await list()
    for (const [what, args, pattern] of REFUSED) {
      const { code, stdout, stderr } = await client(...args)
      assert.equal(code, 2, `${what}: ${stderr}`)
      assert.match(stderr, pattern, what)
      assert.equal(stdout, '', what)
    }
    assert.deepEqual(await list(), before)
  })

  test('list does not create a store, and rejects a store in memory', async () => {
    const { client } = clientsIn()
    assert.equal((await client('list')).code, 3)
    const { code, stderr } = await run(['client', 'list'], { environment: { KEYSPRING_STORE: 'memory' } })
    assert.equal(code, 2)
    assert.match(stderr, /a store in memory .* needs another store/)
  })

  test('add --print prints an entry for the configuration, and stores nothing', async () => {
    const data = join(directory, 'printed')
    const lines: string[] = []
    for (const [i, args] of [
      ['--method', 'token'],
      ['--method', 'basic', '--id', 'encoder', '--tenant', 'studio', '--content-id', 'live-*'],
      ['--method', 'certificate', '--id', 'DNS:a.example', '--not-after', '2030-01-01T00:00:00Z'],
    ].entries()) {
      const { code, stdout, stderr } = await run([
        'client',
        'add',
        '--print',
        '--name',
        `c${i}`,
        ...args,
        '--data',
        data,
      ])
      assert.equal(code, 0, stderr)
      lines.push(stdout)
      const secret = /^(?:token|password): (.+)$/m.exec(stderr)?.[1]
      assert.ok(secret === undefined || !stdout.includes(secret))
    }
    assert.equal(existsSync(data), false)
    const config = join(directory, 'printed.yaml')
    writeFileSync(config, `trustProxy: [10.0.0.1]\nplayback: { access: off }\nclients:\n${lines.join('')}`)
    const checked = await run(['config', 'check', '--config', config])
    assert.equal(checked.code, 0, checked.stderr)
    const refused = await run(['client', 'add', '--print', '--name', 'a', '--method', 'sigv4', '--data', data])
    assert.match(refused.stderr, /--print: the store seals the secret of sigv4/)
  })

  test('add --json prints one object', async () => {
    const { done } = clientsIn()
    const { stdout } = await done('add', '--name', 'a', '--method', 'sigv4', '--json')
    const told = JSON.parse(stdout) as Readonly<Record<string, string>>
    assert.deepEqual(Object.keys(told), ['name', 'tenant', 'method', 'id', 'accessKeyId', 'secretAccessKey'])
  })
})
