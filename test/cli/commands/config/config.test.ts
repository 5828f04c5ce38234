import assert from 'node:assert/strict'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ENCRYPTOR_NAMES } from '../../../../src/cli/commands/config/first-configuration.ts'
import { issuerOf } from '../../../callers/certificates.ts'
import { run, start, temporaryDirectory } from '../../run.ts'

const directory = temporaryDirectory()
const { cert, key } = issuerOf('test').issue('keys.example.com', ['DNS:keys.example.com'])
for (const [name, text] of Object.entries({
  'server.crt': cert,
  'server.key': key,
  'gateway-secret': 'a'.repeat(40),
  token: `ks_0123456789abcdef_${'A'.repeat(43)}`,
  password: 'a password that exists',
}))
  writeFileSync(join(directory, name), text, { mode: 0o600 })

for (const encryptor of ENCRYPTOR_NAMES) {
  test(`config check accepts what config init writes for ${encryptor}`, async () => {
    const file = join(directory, `${encryptor}.yaml`)
    const init = await run(['config', 'init', '--encryptor', encryptor, '--out', file])
    assert.deepEqual({ code: init.code, stdout: init.stdout }, { code: 0, stdout: '' }, init.stderr)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const check = await run(['config', 'check', '--config', file])
    assert.deepEqual({ code: check.code, stderr: check.stderr }, { code: 0, stderr: '' })
    assert.match(check.stdout, /^configuration is valid/)
  })

  test(`config check accepts the settings that config init leaves commented for ${encryptor}`, async () => {
    const { stdout } = await run(['config', 'init', '--encryptor', encryptor])
    const file = join(directory, `${encryptor}-all.yaml`)
    const commented = stdout
      .replace('  access: off\n', '')
      .replaceAll(/^( *)# ( *[\w-]+:(?: .*)?| +- .*)$/gm, '$1$2')
      .replaceAll('/etc/keyspring', directory)
      .replace('host: 127.0.0.1', 'host: 0.0.0.0')
    for (const setting of ['publicUrl', 'tls', 'clients', 'playback', 'signalingProfiles', 'contents'])
      assert.ok(commented.includes(`\n${setting}:`), setting)
    writeFileSync(file, commented)
    const check = await run(['config', 'check', '--config', file])
    assert.equal(check.code, 0, check.stderr)
    const server = start(['serve', '--port', '0', '--config', file, '--data', join(directory, encryptor)])
    await server.stderr(/listens on https:/)
    server.signal('SIGTERM')
    assert.equal((await server.done).code, 0)
  })
}

test('config init does not overwrite a file', async () => {
  const file = join(directory, 'mine.yaml')
  writeFileSync(file, 'mine')
  const { code, stderr } = await run(['config', 'init', '--encryptor', 'generic', '--out', file])
  assert.equal(code, 1)
  assert.match(stderr, /^keyspring: .*mine\.yaml: the file exists already\n$/)
})

test('config check reports every problem without its value, and ends with 2', async () => {
  const file = join(directory, 'wrong.yaml')
  writeFileSync(file, 'port: hunter2\nprot: hunter2\n')
  const { code, stdout, stderr } = await run(['config', 'check', '--config', file], {
    environment: { KEYSPRING_STORE: 'hunter2', KEYSPRING_NONESUCH: 'hunter2' },
  })
  assert.equal(code, 2)
  assert.equal(stdout, '')
  assert.match(stderr, /^keyspring: 4 problems\n( {2}.*\n){4}hint: /)
  for (const name of ['port', 'prot', 'KEYSPRING_STORE', 'KEYSPRING_NONESUCH'])
    assert.ok(stderr.includes(`  ${name}: `))
  assert.doesNotMatch(stderr, /hunter2/)
})

test('config check changes nothing on the disk', async () => {
  const data = join(directory, 'untouched')
  assert.equal((await run(['config', 'check'], { environment: { KEYSPRING_DATA: data } })).code, 0)
  assert.ok(!existsSync(data))
})
