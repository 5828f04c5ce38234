import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openSqliteStore } from '../../../src/adapters/store/sqlite/store.ts'
import { DataKeyRing } from '../../../src/keys/crypto/data-keys.ts'
import { createAuditHeads } from '../../../src/operations/audit/heads.ts'
import { type OpenAuditOptions, openAudit } from '../../../src/server/assemble/records.ts'
import { fakeRootKey } from '../../keys/fixtures.ts'
import { dataKeysOf, entryOf, headStore, recordsOf, verify } from '../../operations/audit/fixtures.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-open-audit-'))
after(() => rmSync(scratch, { recursive: true }))
const newDirectory = (): string => mkdtempSync(join(scratch, 'data-'))

const optionsOf = (directory: string | undefined): OpenAuditOptions => ({
  directory,
  node: 'keys-1',
  by: 'server',
  store: headStore(),
  dataKeys: dataKeysOf(),
})

describe('the audit log of a configuration', () => {
  test('is written by the server and the command line at the same time, each under a name of its own', async () => {
    const directory = join(newDirectory(), 'audit')
    const store = openSqliteStore({ file: join(directory, '..', 'keys.db') })
    const dataKeys = new DataKeyRing({ store, rootKey: fakeRootKey(1), rootKeyName: 'root.key', randomBytes })
    const options = { ...optionsOf(directory), store, dataKeys }
    const written: string[] = []
    const onWritten: OpenAuditOptions['onWritten'] = (action, outcome) => written.push(`${action} ${outcome}`)
    const server = openAudit({ ...options, onWritten })
    const cli = openAudit({ ...options, by: 'cli', user: 'operator' })
    await Promise.all([server.write(entryOf(1)), cli.write(entryOf(2))])
    await Promise.all([server.close(), cli.close()])
    assert.deepEqual(readdirSync(directory).sort(), ['keys-1', 'keys-1-cli'])
    const actors = readdirSync(directory).map((node) => {
      const [file = ''] = readdirSync(join(directory, node)).filter((name) => name.endsWith('.jsonl'))
      return recordsOf(join(directory, node, file))[0]?.actor
    })
    assert.deepEqual(actors, [
      { method: 'server', id: 'keys-1' },
      { method: 'cli', id: 'operator' },
    ])
    assert.deepEqual(written, ['audit.start ok', 'key.issue ok'])
    const report = await verify(directory, createAuditHeads({ store, dataKeys, randomBytes }))
    assert.deepEqual([report.records, report.problems, report.warnings], [4, 0, 0])
    await store.close()
  })

  test('touches nothing before the first record', () => {
    const directory = join(newDirectory(), 'audit')
    openAudit(optionsOf(directory))
    assert.deepEqual(readdirSync(join(directory, '..')), [])
  })

  test('is nowhere without a directory', async () => {
    const log = openAudit(optionsOf(undefined))
    await log.start()
    await log.write(entryOf(1))
    log.spool(entryOf(2))
    assert.equal(log.queued(), 0)
    await log.close()
  })

  for (const node of ['..', '.hidden', 'a/b', '', 'x'.repeat(80)]) {
    test(`refuses the node name ${JSON.stringify(node)}: it names a directory`, () => {
      assert.throws(() => openAudit({ ...optionsOf(newDirectory()), node }), { code: 'ERR_CONFIG_INVALID' })
    })
  }
})
