import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { type Config, readConfig } from '../../../src/server/config/config.ts'
import { environmentName, SETTINGS } from '../../../src/server/config/setting-list.ts'
import type { ConfigSources } from '../../../src/server/config/sources.ts'

const directory = mkdtempSync(join(tmpdir(), 'keyspring-config-'))
after(() => rmSync(directory, { recursive: true }))

let files = 0
function fileOf(text: string): string {
  const file = join(directory, `${files++}.yaml`)
  writeFileSync(file, text)
  return file
}

const read = (sources: Partial<ConfigSources> = {}): Config => readConfig({ environment: {}, ...sources })
const fromYaml = (text: string): Config => read({ file: fileOf(text) })

function problemsOf(sources: Partial<ConfigSources>): readonly string[] {
  try {
    read(sources)
  } catch (error) {
    assert.ok(error instanceof KeyProviderError)
    assert.equal(error.code, 'ERR_CONFIG_INVALID')
    return error.message.split('\n')
  }
  return []
}

test('without any setting it listens on loopback and keeps keys in ./data', () => {
  const { host, port, data, store, loopback, publicUrl, allowAnonymous, limits, signalingProfile } = read()
  assert.deepEqual(
    { host, port, data, store, loopback, publicUrl, allowAnonymous, signalingProfile, bytes: limits.bodyBytes },
    {
      host: '127.0.0.1',
      port: 8080,
      data: './data',
      store: 'sqlite',
      loopback: true,
      publicUrl: undefined,
      allowAnonymous: false,
      signalingProfile: 'default',
      bytes: 1024 * 1024,
    },
  )
})

test('a flag wins over the environment, the environment over the file, the file over the default', () => {
  const file = fileOf('port: 1\nhost: 127.0.0.2\ndata: /file\nlimits: { depth: 20 }\n')
  const environment = { KEYSPRING_PORT: '2', KEYSPRING_DATA: '/environment' }
  const { port, data, host, limits } = read({ file, environment, flags: { port: '3' } })
  assert.deepEqual(
    { port, data, host, depth: limits.depth },
    { port: 3, data: '/environment', host: '127.0.0.2', depth: 20 },
  )
})

test('KEYSPRING_CONFIG names the file, and --config another', () => {
  const environment = { KEYSPRING_CONFIG: fileOf('port: 1\n') }
  assert.equal(read({ environment }).port, 1)
  assert.equal(read({ environment, file: fileOf('port: 2\n') }).port, 2)
})

test('a file without settings gives the defaults', () => {
  assert.equal(fromYaml('').port, 8080)
  assert.equal(fromYaml('# nothing\n').port, 8080)
})

test('every variable is read, by its kind', () => {
  assert.equal(environmentName('limits.headersTimeoutMs'), 'KEYSPRING_LIMITS_HEADERS_TIMEOUT_MS')
  assert.equal(environmentName('speke.hlsAes128SystemIds'), 'KEYSPRING_SPEKE_HLS_AES128_SYSTEM_IDS')
  const config = read({
    environment: {
      KEYSPRING_LOG_REQUESTS: 'true',
      KEYSPRING_SPEKE_BASE_PATHS: '/a, /b',
      KEYSPRING_TRUST_PROXY: '10.0.0.1',
      KEYSPRING_ALLOW_ANONYMOUS: 'true',
      KEYSPRING_LIMITS_BODY_BYTES: '2048',
      KEYSPRING_SPEKE_CONTRACT_ALL_KEY: 'refuse',
      KEYSPRING_CONTENT_KEYS_POLICY: 'random',
    },
  })
  assert.equal(config.logRequests, true)
  assert.deepEqual(config.speke.basePaths, ['/a', '/b'])
  assert.deepEqual(config.trustProxy, ['10.0.0.1'])
  assert.equal(config.limits.bodyBytes, 2048)
  assert.equal(config.speke.contract.allKey, 'refuse')
  assert.equal(config.contentKeys.policy, 'random')
})

for (const { path, kind } of SETTINGS) {
  test(`${environmentName(path)} is checked under its name`, () => {
    const odd = kind === 'list' ? '\u0001' : kind === 'text' ? 'hunter2\u0000' : 'hunter2'
    const [problem = '', ...more] = problemsOf({ environment: { [environmentName(path)]: odd } })
    assert.match(problem, new RegExp(`^${environmentName(path)}: `))
    assert.deepEqual(more, [])
    assert.doesNotMatch(problem, /hunter2/)
  })
}

test('a _FILE twin gives the setting, without the line end of an editor', () => {
  assert.equal(read({ environment: { KEYSPRING_PORT_FILE: fileOf('9\n') } }).port, 9)
})

test('rejects a setting together with its _FILE twin', () => {
  assert.deepEqual(problemsOf({ environment: { KEYSPRING_PORT: '1', KEYSPRING_PORT_FILE: fileOf('2') } }), [
    'KEYSPRING_PORT_FILE: KEYSPRING_PORT is set too: expected one of the two',
  ])
})

test('rejects a _FILE twin whose file does not exist, by name', () => {
  assert.deepEqual(problemsOf({ environment: { KEYSPRING_PORT_FILE: join(directory, 'none') } }), [
    'KEYSPRING_PORT_FILE: cannot be read (ENOENT)',
  ])
})

const CANARY = 'hunter2'
const wrong: readonly [string, string, readonly RegExp[]][] = [
  ['a port that is none', `port: ${CANARY}`, [/^port: expected a whole number from 0 to 65535$/]],
  ['a port too high', 'port: 70000', [/^port: expected/]],
  ['an unknown setting', `${'prot'}: ${CANARY}`, [/^prot: unknown setting\. Did you mean port\?$/]],
  [
    'an unknown setting inside a section',
    `limits: { depht: ${CANARY} }`,
    [/^limits\.depht: unknown setting\. Did you mean limits\.depth\?$/],
  ],
  ['a section that is a value', `limits: ${CANARY}`, [/^limits: expected a section of settings$/]],
  ['a list that is a value', `trustProxy: ${CANARY}`, [/^trustProxy: expected a list$/]],
  ['a proxy that is a name', `trustProxy: [${CANARY}]`, [/^trustProxy\.0: expected an IP address$/]],
  ['a URL with a password', `publicUrl: https://u:${CANARY}@example.com`, [/^publicUrl: expected an http/]],
  ['a URL of another kind', `publicUrl: ftp://${CANARY}`, [/^publicUrl: expected an http/]],
  [
    'a store of another kind',
    `store: mysql://u:${CANARY}@db`,
    [/^store: expected sqlite, memory, dynamodb or postgres:.*$/],
  ],
  [
    'a choice that is none',
    `contentKeys: { policy: ${CANARY} }`,
    [/^contentKeys\.policy: expected derived or random or derived-root$/],
  ],
  ['a profile that is not there', `signalingProfile: ${CANARY}`, [/^signalingProfile: no signalling profile/]],
  [
    'a rule for a profile that is not there',
    `contents: [{ contentId: a*, signalingProfile: ${CANARY} }]`,
    [/^contents\.0\.signalingProfile: no signalling profile/],
  ],
  ['a rule without a profile', `contents: [{ contentId: ${CANARY} }]`, [/^contents\.0\.signalingProfile: expected/]],
  [
    'a setting of a profile',
    `signalingProfiles: { a: { explicitIv: ${CANARY}, playready: { laUrl: ${CANARY} } } }`,
    [/^signalingProfiles\.a\.playready\.laUrl: expected/, /^signalingProfiles\.a\.explicitIv: expected/],
  ],
  [
    'an skd that is no URI',
    `signalingProfiles: { a: { fairplay: { skd: 'http://${CANARY}' } } }`,
    [/^signalingProfiles\.a: fairplay\.skd: expected/],
  ],
  [
    'robustness of a system that is not there',
    'signalingProfiles: { a: { robustness: { Nonesuch: { "*": HW } } } }',
    [/^signalingProfiles\.a\.robustness\.Nonesuch: expected the name or the id of a DRM system$/],
  ],
  [
    'a system id that is none',
    `speke: { hlsAes128SystemIds: [${CANARY}] }`,
    [/^speke\.hlsAes128SystemIds\.0: expected/],
  ],
  [
    'a described system with the id of another',
    'drmSystems: [{ name: Mine, systemId: edef8ba9-79d6-4ace-a3c8-27dcd51d21ed, commonEncryptionSchemes: [cenc] }]',
    [/^drmSystems\.0\.systemId: is the ID of Widevine already$/],
  ],
  [
    'a described system that could not be signalled',
    'drmSystems: [{ name: Mine, systemId: 0a000000-0000-4000-8000-000000000001, commonEncryptionSchemes: [cenc], contentProtectionData: "<a>" }]',
    [/^drmSystems\.0: DRM system Mine: contentProtectionData: not well-formed XML/],
  ],
  ['a file that is a list', '- port', [/^config file: expected settings/]],
  [
    'a file that is not YAML',
    `port: [${CANARY}\nhost: "${CANARY}`,
    [/^config file, line \d+, column \d+: not valid YAML/],
  ],
  [
    'a setting given twice',
    'port: 1\nport: 2\n',
    [/^config file, line 2, column 1: not valid YAML \(duplicate key\)$/],
  ],
]
test('a name that resembles no setting gets no suggestion', () => {
  assert.deepEqual(problemsOf({ settings: { colour: 1 } }), ['colour: unknown setting'])
  assert.deepEqual(problemsOf({ environment: { KEYSPRING_LIMITS_DEPHT: '1' } }), [
    'KEYSPRING_LIMITS_DEPHT: unknown setting. Did you mean KEYSPRING_LIMITS_DEPTH?',
  ])
})

test('a relative path in a file starts at the directory of the file, elsewhere at the working directory', () => {
  const file = fileOf(
    'data: keys\nrootKey: { file: ../root.key }\nauth: { gateway: { secretFiles: [a, /b] } }\ntrustProxy: [10.0.0.1]\nallowAnonymous: true\n',
  )
  const { data, rootKey, auth } = read({ file })
  assert.deepEqual([data, rootKey.file], [join(directory, 'keys'), join(directory, '../root.key')])
  assert.deepEqual(auth.gateway?.secretFiles, [join(directory, 'a'), '/b'])
  assert.equal(read({ file: fileOf('port: 1\n') }).data, join(directory, 'data'))
  assert.equal(read({ file, flags: { data: 'keys' } }).data, 'keys')
  assert.equal(read({ file, environment: { KEYSPRING_DATA: './there' } }).data, './there')
})

for (const [what, yaml, expected] of wrong) {
  test(`rejects ${what}, by name and not by value`, () => {
    const problems = problemsOf({ file: fileOf(yaml) })
    for (const [i, pattern] of expected.entries()) assert.match(problems[i] ?? '', pattern)
    if (!what.includes('YAML')) assert.equal(problems.length, expected.length, problems.join('\n'))
    assert.doesNotMatch(problems.join('\n'), new RegExp(CANARY))
  })
}

test('reports every problem of every source, by its name in that source', () => {
  const problems = problemsOf({
    file: fileOf('limits: { depth: 1 }\nlogLevel: loud\n'),
    environment: { KEYSPRING_STORE: 'x', KEYSPRING_PROT: '1', PATH: '/bin' },
    flags: { port: 'http', host: '0.0.0.0' },
  })
  assert.deepEqual(problems.map((problem) => problem.split(':')[0]).sort(), [
    '--host',
    '--port',
    'KEYSPRING_PROT',
    'KEYSPRING_STORE',
    'limits.depth',
    'logLevel',
    'playback.access',
    'publicUrl',
  ])
})

test('rejects a file that does not exist', () => {
  const file = join(directory, 'none.yaml')
  assert.deepEqual(problemsOf({ file }), [`config file ${file}: cannot be read (ENOENT)`])
})

test('an address other than loopback requires --allow-anonymous and a public URL', () => {
  const problems = problemsOf({ flags: { host: '0.0.0.0' } })
  assert.equal(problems.length, 3)
  assert.match(problems[0] ?? '', /^playback\.access: is not set/)
  assert.match(problems[1] ?? '', /^--host: .*--allow-anonymous/)
  assert.match(problems[2] ?? '', /^publicUrl: is not set/)
  const { loopback, publicUrl } = read({
    flags: { host: '0.0.0.0', allowAnonymous: true, publicUrl: 'https://keys.example.com/' },
  })
  assert.deepEqual({ loopback, publicUrl }, { loopback: false, publicUrl: 'https://keys.example.com' })
})

test('a command that only opens the keys requires no public URL', () => {
  assert.equal(read({ flags: { host: '0.0.0.0' }, serves: false }).loopback, false)
})

for (const [path, yaml] of [
  ['playback.callback.url', 'playback: { access: callback, callback: { url: URL } }'],
  ['rootKey.vault.url', 'rootKey: { kind: vault, vault: { url: URL, key: k, token: t } }'],
  ['rootKey.awsKms.endpoint', 'rootKey: { kind: aws-kms, awsKms: { keyId: k, endpoint: URL } }'],
  ['dynamodb.endpoint', 'store: dynamodb\ndynamodb: { table: keys, endpoint: URL }'],
] as const) {
  test(`${path} takes https off loopback only`, () => {
    const problems = (url: string) => problemsOf({ file: fileOf(yaml.replace('URL', url)) })
    for (const url of ['https://service.example.com', 'http://127.0.0.1:8200', 'http://[::1]:8200']) {
      assert.deepEqual(problems(`"${url}"`), [], url)
    }
    for (const url of ['http://service.example.com', 'http://127.0.0.1.example.com']) {
      assert.ok(
        problems(`"${url}"`).some((one) => one.startsWith(`${path}: expected an https URL`)),
        url,
      )
    }
  })
}

test('rejects an AWS endpoint of the environment without TLS, where AWS is used', () => {
  const AWS_ENDPOINT_URL_KMS = 'http://kms.example.com'
  const kms = { KEYSPRING_ROOT_KEY_KIND: 'aws-kms', KEYSPRING_ROOT_KEY_AWS_KMS_KEY_ID: 'k' }
  assert.deepEqual(problemsOf({ environment: { ...kms, AWS_ENDPOINT_URL_KMS } }), [
    'AWS_ENDPOINT_URL_KMS: expected an https URL, or an http URL of a loopback address',
  ])
  assert.deepEqual(problemsOf({ environment: { ...kms, AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:4566' } }), [])
  assert.deepEqual(problemsOf({ environment: { AWS_ENDPOINT_URL_KMS } }), [])
})

test('the configuration is frozen, all the way down', () => {
  const config = fromYaml('contents: [{ contentId: a*, signalingProfile: default }]')
  const parts = [config, config.limits, config.speke.contract, config.contents, config.contents[0]]
  for (const part of parts) assert.ok(Object.isFrozen(part))
})
