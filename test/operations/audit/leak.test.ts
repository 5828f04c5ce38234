import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { audited } from '../../../src/operations/audit/audited.ts'
import { keyIssued, requestRefused, sealFailure } from '../../../src/operations/events/of.ts'
import type { AuditEntry } from '../../../src/operations/ports/audit.ts'
import { EVENT_TYPES } from '../../../src/operations/ports/events.ts'
import { openAudit } from '../../../src/server/assemble/records.ts'
import { EventDeliveries } from '../../../src/server/delivery/events.ts'
import { kidOf } from '../../keys/fixtures.ts'
import { dataKeysOf, headStore } from './fixtures.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-audit-leak-'))
after(() => rmSync(scratch, { recursive: true }))

const keys = Array.from({ length: 3 }, () => randomBytes(16))
const spellings = keys.flatMap((key) => [
  key.toString('latin1'),
  key.toString('hex'),
  key.toString('base64'),
  key.toString('base64url'),
])

/** As careless as a caller can be: keys beside what is asked for, and in the messages of errors. */
const careless = { contentKey: spellings[1], explicitIv: keys[1], token: spellings[7], xml: spellings.join() }

test('no key reaches a record or an event, whatever is handed over beside them', async () => {
  const audit = openAudit({
    directory: join(scratch, 'audit'),
    node: 'n1',
    by: 'server',
    store: headStore(),
    dataKeys: dataKeysOf(),
  })
  const events = await EventDeliveries.open({
    webhook: undefined,
    file: join(scratch, 'events.jsonl'),
    types: EVENT_TYPES,
    deadLetterFile: join(scratch, 'dead.jsonl'),
    node: 'n1',
    version: '1',
  })
  const actor = { method: 'bearer', id: 'ops', ...careless }
  const operator = { tenant: 'default', actor, requestId: 'r1', ...careless }
  const operation = { action: 'key.export', contentId: 'movie', ...careless } as const
  const also = { kids: [kidOf(1)], ...careless }
  await audited({ audit }, operator, operation, async () => ({ result: keys, also }))
  const error = new KeyProviderError('ERR_SEAL_BROKEN', spellings.join())
  await assert.rejects(audited({ audit }, operator, operation, () => Promise.reject(error)))
  audit.spool({ ...operation, outcome: 'ok', tenant: 'default', actor, requestId: 'r2' } as AuditEntry)
  const call = { at: 0, route: 'key', status: 403, requestId: 'r1', ...careless }
  events.emit(sealFailure(call))
  events.emit(requestRefused({ ...call, code: 'ERR_FORBIDDEN' }))
  const issued = { tenant: 'default', contentId: 'movie', at: 0, kids: [kidOf(1)], client: 'c', spekeVersion: '2.0' }
  events.emit(keyIssued({ ...issued, ...careless }))
  await events.close()
  await audit.close()
  const files = readdirSync(scratch, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const written = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')).join('')
  assert.ok(written.includes('"key.export"') && written.includes('io.keyspring.key.issued'))
  for (const spelling of spellings) assert.ok(!written.includes(spelling))
})
