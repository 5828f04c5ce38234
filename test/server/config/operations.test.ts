import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { retentionRules } from '../../../src/operations/lifetime/retention.ts'
import { type Config, readConfig } from '../../../src/server/config/config.ts'
import { auditDirectoryOf } from '../../../src/server/config/operations.ts'
import { temporaryDirectory } from '../../cli/run.ts'
import { certificateOf, rsaKeys } from '../../formats/cpix/certificates.ts'

const directory = temporaryDirectory()
let files = 0

function fileOf(text: string): string {
  const file = join(directory, `${files++}`)
  writeFileSync(file, text)
  return file
}

function read(settings: object, environment: Readonly<Record<string, string>> = {}): Config {
  return readConfig({ file: fileOf(JSON.stringify(settings)), environment })
}

function problemsOf(settings: object, environment: Readonly<Record<string, string>> = {}): readonly string[] {
  try {
    read(settings, environment)
  } catch (error) {
    assert.ok(error instanceof KeyProviderError && error.code === 'ERR_CONFIG_INVALID')
    return error.message.split('\n')
  }
  return []
}

test('without any setting contents are kept for ever', () => {
  const classOf = retentionRules(read({}).retention)
  assert.deepEqual(classOf({ tenant: 'default', contentId: 'movie' }).name, 'forever')
})

test('the first rule that fits names the class of a content', () => {
  const { retention } = read(
    {
      retention: {
        classes: { live: { keep: '7d' }, news: { keep: '12h', grace: '1h', afterwards: 'regenerate' } },
        contents: [
          { contentId: 'live-news-*', class: 'news' },
          { contentId: 'live-*', class: 'live' },
        ],
      },
    },
    { KEYSPRING_RETENTION_HOLD: 'live-trial' },
  )
  const classOf = retentionRules(retention)
  const of = (contentId: string) => classOf({ tenant: 'default', contentId })
  assert.deepEqual(of('live-news-1'), {
    name: 'news',
    keepMs: 43_200_000,
    graceMs: 3_600_000,
    afterwards: 'regenerate',
    held: false,
  })
  assert.equal(of('live-1').graceMs, 86_400_000)
  assert.equal(of('live-trial').held, true)
  assert.equal(of('movie').name, 'forever')
})

test('reports every problem of retention at once', () => {
  const problems = problemsOf({
    retention: {
      default: 'vod',
      classes: { live: { keep: 'soon', grace: 'forever' }, forever: { keep: '1d' } },
      contents: [{ contentId: 'a', class: 'b' }],
    },
  })
  assert.deepEqual(problems.map((line) => line.split(': ')[0]).sort(), [
    'retention.classes.forever',
    'retention.classes.live.grace',
    'retention.classes.live.keep',
    'retention.contents.0.class',
    'retention.default',
  ])
})

test('a policy that stores no secrets takes no class that ends', () => {
  const contentKeys = { policy: 'derived-root', rootSecret: Buffer.alloc(32, 1).toString('base64') }
  const classes = { live: { keep: '7d' }, vod: { keep: 'forever' } }
  assert.deepEqual(problemsOf({ contentKeys, retention: { classes } }), [
    'retention.classes.live.keep: expected forever: contentKeys.policy derived-root stores no secret that could be destroyed',
  ])
})

test('the audit log is below the data, and nowhere beside a store in memory', () => {
  assert.equal(auditDirectoryOf(read({ data: '/d' })), join('/d', 'audit'))
  assert.equal(auditDirectoryOf(read({ store: 'memory' })), undefined)
  assert.equal(auditDirectoryOf(read({ store: 'memory', audit: { directory: '/a' } })), '/a')
  assert.match(read({}).audit.node, /^[\w.-]{1,64}$/)
})

test('records that must be written need a place', () => {
  assert.deepEqual(problemsOf({ store: 'memory', audit: { issue: 'require' } }), [
    'audit.directory: is not set: audit.issue require needs it with a store in memory',
  ])
})

test('a webhook has a secret, which is printed nowhere', () => {
  const url = 'https://events.example.com/'
  const secret = 'hunter2hunter2hunter2hunter2hunter2'
  const config = read({ events: { webhook: { url } } }, { KEYSPRING_EVENTS_WEBHOOK_SECRET: secret })
  assert.equal(config.events.webhook?.secret.reveal(), secret)
  for (const printed of [inspect(config, { depth: 9 }), JSON.stringify(config)]) assert.doesNotMatch(printed, /hunter2/)
  assert.deepEqual(problemsOf({ events: { webhook: { url } } }), [
    'events.webhook.secret: is not set: the receiver needs it to verify events',
  ])
  assert.deepEqual(problemsOf({}, { KEYSPRING_EVENTS_WEBHOOK_SECRET: 'hunter2' }), [
    'KEYSPRING_EVENTS_WEBHOOK_SECRET: expected a secret of 32 to 4096 characters, one line',
  ])
})

test('the key of imports is read with its certificate, and its file is named when it is wrong', () => {
  const mine = rsaKeys(2048)
  const pem = (key: typeof mine) => String(key.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const certificate = new X509Certificate(certificateOf(mine)).toString()
  const importKeyFile = fileOf(`${pem(mine)}${certificate}`)
  const { importKey } = read({ api: { importKeyFile } }).api
  assert.equal(importKey?.reveal().privateKey.asymmetricKeyType, 'rsa')
  assert.deepEqual(problemsOf({ api: { importKeyFile: fileOf(`${pem(rsaKeys(2048))}${certificate}`) } }), [
    'api.importKeyFile: its private key is not that of its certificate',
  ])
  assert.deepEqual(problemsOf({ api: { importKeyFile: fileOf('hunter2') } }), [
    'api.importKeyFile: expected a private key in PEM, without a passphrase, and its certificate',
  ])
})
