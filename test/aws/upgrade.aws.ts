import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startFakeKms } from '../adapters/root-keys/fake-kms.ts'
import { startDynamoDb } from '../adapters/store/dynamodb/server.ts'
import { startProcess as runCli } from '../cli/run.ts'
import { blocksOf, pageOf } from '../docs/pages.ts'
import { vectors } from '../formats/drm/vectors.ts'
import { AES_128, requestFor } from '../protocols/speke/documents.ts'
import { eventOf, readResult } from '../server/lambda/events.ts'
import { bundle, environmentOn, startInstance } from '../server/lambda/instance.ts'

interface Content {
  readonly secret: string
  readonly keys: readonly { readonly kid: string; readonly key: string }[]
}
const reference = vectors<{ readonly origin: string; readonly contents: readonly Content[] }>('reference-server.json')
/** In the bucket a kid is spelled one way. */
const contents = reference.contents.map(({ secret, keys }, i) => ({
  contentId: `film-${i}`,
  secret,
  keys: keys.filter(({ kid }) => kid === kid.toLowerCase()),
}))

const [built, dynamoDb, kms] = await Promise.all([bundle(), startDynamoDb(), startFakeKms()])
const directory = mkdtempSync(join(tmpdir(), 'keyspring-upgrade-'))
after(async () => {
  built.remove()
  rmSync(directory, { recursive: true, force: true })
  await Promise.all([dynamoDb.remove(), kms.close()])
})

/** What the AWS CLI says of a bucket and of secrets that the reference server left. */
const AWS = `#!/usr/bin/env node
const { contents } = JSON.parse(require('node:fs').readFileSync(${JSON.stringify(join(directory, 'left.json'))}, 'utf8'))
const [service, verb, , name] = process.argv.slice(2)
if (service === 's3api' && verb === 'list-objects-v2')
  console.log(contents.flatMap(({ contentId, keys }) => keys.map(({ kid }) => contentId + '/' + kid)).join('\\t'))
else if (service === 'secretsmanager' && verb === 'get-secret-value')
  console.log(contents.find(({ contentId }) => 'speke/' + contentId === name).secret)
else process.exit(2)
`

test(`the guide moves the contents of the reference server and their keys (${reference.origin})`, async () => {
  const guide = blocksOf(pageOf('docs/guides/upgrade-from-the-reference-server.md'))
  const exporting = guide.find(({ text }) => text.includes('secrets.csv') && text.includes('umask')) ?? assert.fail()
  writeFileSync(join(directory, 'left.json'), JSON.stringify({ contents }))
  writeFileSync(join(directory, 'aws'), AWS)
  chmodSync(join(directory, 'aws'), 0o755)
  const PATH = `${directory}:${join(process.execPath, '..')}:${process.env.PATH}`
  execFileSync('bash', ['-ec', exporting.text], { cwd: directory, env: { PATH } })
  const csv = join(directory, 'secrets.csv')
  assert.equal(statSync(csv).mode & 0o077, 0, 'only the owner may read it')
  assert.equal(readFileSync(csv, 'utf8').trimEnd().split('\n').length, 1 + contents.flatMap(({ keys }) => keys).length)

  const table = await dynamoDb.newTable()
  const environment = environmentOn(dynamoDb, table, kms)
  for (const more of [['--dry-run'], []]) {
    const args = ['keys', 'import', csv, '--format', 'reference-server', ...more]
    const { code, stdout, stderr } = await runCli(args, { environment }).done
    assert.equal(code, 0, stderr)
    for (const { secret, keys } of contents) {
      assert.ok(!`${stdout}${stderr}`.includes(secret))
      for (const { key } of keys) assert.ok(!`${stdout}${stderr}`.toLowerCase().includes(key))
    }
  }

  const instance = startInstance(built.file, {
    ...environment,
    KEYSPRING_AUTH_GATEWAY_CALLERS: '111122223333',
    KEYSPRING_PUBLIC_URL: 'https://keys.example.com',
    KEYSPRING_PLAYBACK_ACCESS: 'open',
  })
  try {
    for (const { contentId, keys } of contents) {
      for (const { kid, key } of keys) {
        const asked = eventOf('rest-api', {
          method: 'POST',
          path: '/copyProtection',
          headers: { 'Content-Type': 'application/xml', 'X-Speke-Version': '2.0' },
          body: requestFor({ contentId, kids: [kid], scheme: 'cbc1', systems: [AES_128] }),
          caller: 'arn:aws:sts::111122223333:assumed-role/SpekeRole/MediaPackage',
        })
        const { status, bytes } = readResult(await instance.invoke(asked))
        assert.equal(status, 200, bytes.toString())
        const [, given = ''] = /PlainValue>([^<]+)</.exec(bytes.toString()) ?? []
        assert.equal(Buffer.from(given, 'base64').toString('hex'), key)
        const played = readResult(
          await instance.invoke(eventOf('rest-api', { path: `/keys/default/${contentId}/${kid}` })),
        )
        assert.equal(played.bytes.toString('hex'), key)
      }
    }
  } finally {
    await instance.stop()
  }
})
