import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startFakeKms, startFakeVault } from '../../adapters/root-keys/fake-kms.ts'
import { PACKAGE, type Running, runProcess, startProcess, temporaryDirectory } from '../run.ts'

const TOKEN = 'hvs.CAESIJ-test-token'
const directory = temporaryDirectory()
const [kms, vault] = await Promise.all([startFakeKms(), startFakeVault(TOKEN)])
const running: Running[] = []
after(async () => {
  for (const one of running) one.signal('SIGKILL')
  await Promise.all([kms.close(), vault.close()])
})

const AWS = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_EC2_METADATA_DISABLED: 'true',
  KEYSPRING_ROOT_KEY_AWS_KMS_KEY_ID: 'keyspring',
  KEYSPRING_ROOT_KEY_AWS_KMS_REGION: 'eu-west-1',
  KEYSPRING_ROOT_KEY_AWS_KMS_ENDPOINT: kms.url,
}
const VAULT = {
  KEYSPRING_ROOT_KEY_VAULT_URL: vault.url,
  KEYSPRING_ROOT_KEY_VAULT_KEY: 'keyspring',
  KEYSPRING_ROOT_KEY_VAULT_TOKEN: TOKEN,
}
const DOCUMENT = readFileSync(join(PACKAGE, 'docs/examples/widevine-playready-cenc.xml'), 'utf8')

/** The keys of one content, from a server that is started for it and stopped. */
async function keysFrom(data: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const process = startProcess(['serve', '--port', '0', '--data', data], { environment })
  running.push(process)
  const [, url = ''] = await process.stderr(/listens on (\S+),/)
  const headers = { 'content-type': 'application/xml', 'x-speke-version': '2.0' }
  const response = await fetch(`${url}/copyProtection`, { method: 'POST', headers, body: DOCUMENT })
  assert.equal(response.status, 200)
  const keys = String((await response.text()).match(/PlainValue>[^<]+</g))
  process.signal('SIGTERM')
  const { stderr } = await process.done
  assert.ok(!stderr.includes(TOKEN))
  return keys
}

test('every key stays the same when the root key moves from a file to KMS to Vault', async () => {
  const data = join(directory, 'data')
  const keys = await keysFrom(data, {})
  const rewrap = async (environment: Readonly<Record<string, string>>): Promise<string> => {
    const { code, stdout, stderr } = await runProcess(['keyring', 'rewrap', '--data', data], { environment })
    assert.equal(code, 0, stderr)
    return stdout
  }
  const toKms = { ...AWS, KEYSPRING_ROOT_KEY_KIND: 'aws-kms' }
  const foreign = await runProcess(['keyring', 'status', '--data', data], { environment: toKms })
  assert.equal(foreign.code, 3)
  assert.match(foreign.stderr, /was wrapped by another root key than aws-kms keyspring/)

  assert.match(await rewrap({ ...toKms, KEYSPRING_ROOT_KEY_PREVIOUS: 'local' }), /^data keys wrapped anew: 2\n/)
  rmSync(join(data, 'root.key'))
  assert.equal(await keysFrom(data, toKms), keys)
  assert.deepEqual(new Set(kms.calls), new Set(['Encrypt', 'Decrypt']))

  const toVault = { ...VAULT, KEYSPRING_ROOT_KEY_KIND: 'vault' }
  await rewrap({ ...toVault, ...AWS, KEYSPRING_ROOT_KEY_PREVIOUS: 'aws-kms' })
  assert.equal(await keysFrom(data, toVault), keys)
  const { stdout } = await runProcess(['keyring', 'status', '--data', data], { environment: toVault })
  assert.match(stdout, /1 sealed values, wrapped by vault transit\/keyspring v1\n$/)
})

test('a new store with KMS has no root key file, and does not start while KMS is unreachable', async () => {
  const data = join(directory, 'new')
  const environment = { ...AWS, KEYSPRING_ROOT_KEY_KIND: 'aws-kms' }
  const keys = await keysFrom(data, environment)
  assert.throws(() => readFileSync(join(data, 'root.key')), { code: 'ENOENT' })
  kms.failWith(500)
  const { code, stderr } = await runProcess(['serve', '--port', '0', '--data', data], { environment })
  assert.equal(code, 3)
  assert.match(stderr, /the root key aws-kms keyspring cannot be used: .*check the network/)
  kms.failWith(undefined)
  assert.equal(await keysFrom(data, environment), keys)
})
