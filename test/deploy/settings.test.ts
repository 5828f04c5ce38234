import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { readConfig } from '../../src/server/config/config.ts'
import { documentsIn, textOf, yamlOf } from './files.ts'
import { CONTAINERFILE } from './package.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-settings-'))
after(() => rmSync(scratch, { recursive: true }))

type Environment = Readonly<Record<string, string>>

/** What a secret of this name could be. */
const SECRETS: Environment = {
  'postgres-url': 'postgres://keyspring:secret@postgres:5432/keyspring',
  'root-key-passphrase': 'a passphrase that is long enough',
  'vault-token': 'hvs.0123456789',
  'player-urls': 'ab'.repeat(32),
}

/** The configuration of an environment whose secrets are files here. Throws with every problem. */
function configOf(environment: Environment) {
  const here = Object.entries(environment).map(([name, value]) => {
    if (!name.endsWith('_FILE')) return [name, value]
    const secret = SECRETS[basename(value)]
    assert.ok(secret !== undefined, `no secret ${value}`)
    const file = join(scratch, basename(value))
    writeFileSync(file, secret, { mode: 0o600 })
    return [name, file]
  })
  return readConfig({ environment: { ...CONTAINERFILE.environment, ...Object.fromEntries(here) } })
}

describe('a server takes the settings', () => {
  test('of the compose file', () => {
    const { services } = yamlOf<{ services: Record<string, { environment: Environment }> }>(
      'deploy/compose/compose.yaml',
    )
    const given = Object.entries(services.keyspring?.environment ?? {}).map(([name, value]) => [
      name,
      value.replace(/^\$\{\w+:\?.*\}$/, 'https://keys.example.com').replace(/^\$\{\w+:-(.*)\}$/, '$1'),
    ])
    const { store, host, admin, allowAnonymous, data } = configOf(Object.fromEntries(given))
    assert.deepEqual(
      { store, host, admin: admin?.port, allowAnonymous, data },
      { store: 'postgres', host: '0.0.0.0', admin: 9090, allowAnonymous: false, data: '/data' },
    )
  })

  test('of the manifests for Kubernetes', () => {
    const found = documentsIn<{ kind: string; data: Environment }>('deploy/kubernetes').find(
      ({ document }) => document.kind === 'ConfigMap',
    )
    const { store, rootKey, admin, allowAnonymous } = configOf(found?.document.data ?? {})
    assert.deepEqual(
      { store, rootKey: rootKey.kind, admin: admin?.port, allowAnonymous },
      { store: 'postgres', rootKey: 'vault', admin: 9090, allowAnonymous: false },
    )
  })

  test('that the guide gives to try the image', () => {
    const guide = textOf('docs/guides/run-on-your-machines.md')
    const given = [...guide.matchAll(/-e (KEYSPRING_\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value])
    assert.equal(given.length, 3)
    assert.equal(configOf(Object.fromEntries(given)).allowAnonymous, true)
  })

  test('of the unit for systemd, beside its file', () => {
    const unit = textOf('deploy/systemd/keyspring.service')
    const given = [...unit.matchAll(/^Environment=(KEYSPRING_\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ])
    const { KEYSPRING_CONFIG, ...environment } = Object.fromEntries(given)
    assert.equal(KEYSPRING_CONFIG, '/etc/keyspring/keyspring.yaml')
    const { data, rootKey } = configOf({ ...environment, KEYSPRING_HOST: '127.0.0.1' })
    assert.equal(data, '%S/keyspring')
    assert.ok(rootKey.passphrase)
  })
})

test('the image alone does not start: nobody is let in unasked', () => {
  assert.throws(() => configOf({}), { code: 'ERR_CONFIG_INVALID' })
})
