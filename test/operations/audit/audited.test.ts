import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ErrorCode, KeyProviderError } from '../../../src/core/errors.ts'
import { STATUS } from '../../../src/http/errors.ts'
import { audited, isRefusal } from '../../../src/operations/audit/audited.ts'
import type { AuditedOperation, Operator } from '../../../src/operations/management.ts'
import type { AuditEntry, AuditLog } from '../../../src/operations/ports/audit.ts'
import { kidOf } from '../../keys/fixtures.ts'

const OPERATOR: Operator = {
  tenant: 'default',
  actor: { method: 'bearer', id: 'ops', address: '192.0.2.1' },
  requestId: 'r1',
}
const EXPORT: AuditedOperation = { action: 'key.export', contentId: 'movie' }
const DELETE: AuditedOperation = { action: 'content.delete', contentId: 'movie', reason: 'withdrawn' }

/** A log that can be written `times` times. */
function logOf(times = Infinity): AuditLog & { readonly entries: AuditEntry[] } {
  const entries: AuditEntry[] = []
  return {
    entries,
    async write(entry) {
      if (entries.length >= times) throw new KeyProviderError('ERR_AUDIT_UNAVAILABLE', 'the disk is full')
      entries.push(entry)
    },
    spool: () => assert.fail('an operation is never spooled'),
    close: async () => {},
  }
}

describe('an audited operation', () => {
  test('is recorded before it is done, and after it with what it found', async () => {
    const audit = logOf()
    const result = await audited({ audit }, OPERATOR, EXPORT, async () => {
      assert.equal(audit.entries.length, 1)
      return { result: 'keys', also: { kids: [kidOf(1)], keys: 1 } }
    })
    assert.equal(result, 'keys')
    const common = { ...OPERATOR, ...EXPORT }
    assert.deepEqual(audit.entries, [
      { ...common, outcome: 'begun' },
      { ...common, kids: [kidOf(1)], keys: 1, outcome: 'ok' },
    ])
  })

  test('is not done when it cannot be recorded first', async () => {
    const undone = audited({ audit: logOf(0) }, OPERATOR, DELETE, () => assert.fail('it was done'))
    await assert.rejects(undone, { code: 'ERR_AUDIT_UNAVAILABLE' })
  })

  test('gives nothing out when its end cannot be recorded', async () => {
    const given = audited({ audit: logOf(1) }, OPERATOR, EXPORT, async () => ({ result: 'keys' }))
    await assert.rejects(given, { code: 'ERR_AUDIT_UNAVAILABLE', message: 'the disk is full; no key was given out' })
  })

  test('says that a change was made when its end cannot be recorded', async () => {
    const changed = audited({ audit: logOf(1) }, OPERATOR, DELETE, async () => ({ result: undefined }))
    await assert.rejects(changed, { code: 'ERR_AUDIT_UNAVAILABLE', message: /the change itself was made/ })
  })

  for (const [what, error, outcome, code] of [
    ['refuses', new KeyProviderError('ERR_CONTENT_HELD', 'held'), 'refused', 'ERR_CONTENT_HELD'],
    ['fails', new KeyProviderError('ERR_STORE_UNAVAILABLE', 'away'), 'failed', 'ERR_STORE_UNAVAILABLE'],
    ['meets the unforeseen', new TypeError('x is not a function'), 'failed', 'UNFORESEEN'],
  ] as const) {
    test(`is recorded as ${outcome}, with the code and no message, when it ${what}`, async () => {
      const audit = logOf()
      await assert.rejects(
        audited({ audit }, OPERATOR, DELETE, () => Promise.reject(error)),
        error,
      )
      assert.deepEqual(audit.entries[1], { ...OPERATOR, ...DELETE, outcome, code })
    })
  }

  test('throws what went wrong first when that cannot be recorded either', async () => {
    const error = new KeyProviderError('ERR_CONTENT_HELD', 'held')
    const both = audited({ audit: logOf(1) }, OPERATOR, DELETE, () => Promise.reject(error))
    await assert.rejects(both, error)
  })
})

test('refused is what is answered with 4XX, failed what is answered with 5XX', () => {
  for (const [code, status] of Object.entries(STATUS) as [ErrorCode, number][]) {
    assert.equal(isRefusal(new KeyProviderError(code, '')), status < 500, code)
  }
})
