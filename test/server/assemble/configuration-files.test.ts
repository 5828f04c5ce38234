import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { checkConfigurationFiles } from '../../../src/server/assemble/configuration-files.ts'
import { readConfig } from '../../../src/server/config/config.ts'
import { certificateOf, rsaKeys } from '../../formats/cpix/certificates.ts'

const directory = mkdtempSync(join(tmpdir(), 'keyspring-files-'))
after(() => rmSync(directory, { recursive: true }))

const server = rsaKeys(2048)
const other = rsaKeys(3072)
const base64 = certificateOf({ publicKey: server.publicKey }).toString('base64').replace(/.{64}/g, '$&\n')
writeFileSync(join(directory, 'server.crt'), `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`)
writeFileSync(join(directory, 'server.key'), server.privateKey.export({ type: 'pkcs8', format: 'pem' }))
writeFileSync(join(directory, 'other.key'), other.privateKey.export({ type: 'pkcs8', format: 'pem' }))
writeFileSync(join(directory, 'token'), `ks_0123456789abcdef_${'a'.repeat(43)}\n`)
writeFileSync(join(directory, 'keys.json'), '{"keys":[]}')

/** The problems of a configuration beside these files. */
async function problemsOf(yaml: string): Promise<readonly string[]> {
  const file = join(directory, 'keyspring.yaml')
  writeFileSync(file, yaml)
  try {
    await checkConfigurationFiles(readConfig({ file, environment: {} }))
    return []
  } catch (error) {
    assert.ok(error instanceof Error)
    return error.message.split('\n')
  }
}

const CLIENT = 'clients: [{ name: a, credentials: { token: [{ tokenFile: FILE }] } }]'

test('accepts files that are usable, by paths from the directory of the configuration file', async () => {
  const jwt = 'auth: { jwt: { issuer: i, audience: a, jwks: keys.json } }'
  const yaml = `tls: { cert: server.crt, key: server.key }\n${CLIENT.replace('FILE', 'token')}\n${jwt}\n`
  assert.deepEqual(await problemsOf(yaml), [])
})

test('reports a key that does not belong to its certificate', async () => {
  assert.deepEqual(await problemsOf('tls: { cert: server.crt, key: other.key }\n'), [
    'tls.key: is not the key of tls.cert',
  ])
})

test('reports every file that cannot be read', async () => {
  const yaml = `tls: { cert: none.crt, key: server.key, clientCa: none.pem }\n${CLIENT.replace('FILE', 'none')}
auth: { gateway: { secretFiles: [none] } }\n`
  assert.deepEqual(
    (await problemsOf(yaml)).map((problem) => problem.split(':')[0]),
    ['tls.cert', 'tls.clientCa', 'clients.0.credentials.token.0.tokenFile', 'auth.gateway.secretFiles.0'],
  )
})
