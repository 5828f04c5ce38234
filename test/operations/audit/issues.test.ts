import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KeyProviderError } from '../../../src/core/errors.ts'
import {
  type AuditLogMode,
  IssueAudit,
  type IssueRequest,
  type IssueSummary,
} from '../../../src/operations/audit/issues.ts'
import type { AuditEntry, AuditLog } from '../../../src/operations/ports/audit.ts'
import { kidOf } from '../../keys/fixtures.ts'

const CONTENT: IssueSummary = { tenant: 'default', contentId: 'movie', kids: [kidOf(1)], keys: 1 }
const requestOf = (requestId: string, id = 'packager') => ({ actor: { method: 'sigv4', id }, requestId })

function issuesOf(mode: AuditLogMode, failure?: KeyProviderError) {
  const [written, spooled]: [AuditEntry[], AuditEntry[]] = [[], []]
  const audit: AuditLog = {
    async write(entry) {
      if (failure !== undefined) throw failure
      written.push(entry)
    },
    spool: (entry) => spooled.push(entry),
    close: async () => {},
  }
  const tasks: (() => void)[] = []
  const schedule = (task: () => void) => {
    tasks.push(task)
    return () => {}
  }
  const runTimers = (): void => {
    for (const task of tasks.splice(0)) task()
  }
  const issues = new IssueAudit({ audit, mode, schedule })
  const issued = (content: IssueSummary, request: IssueRequest) => issues.issued(content, request)
  return { issued, close: () => issues.close(), written, spooled, runTimers }
}

describe('the issue of keys', () => {
  test('is not recorded under off', () => {
    const { issued, close, spooled, written } = issuesOf('off')
    assert.equal(issued(CONTENT, requestOf('r1')), undefined)
    close()
    assert.deepEqual([spooled, written], [[], []])
  })

  test('delays nothing under spool, and the like are one record with a count', () => {
    const { issued, runTimers, spooled } = issuesOf('spool')
    for (const id of ['r1', 'r2', 'r3']) assert.equal(issued(CONTENT, requestOf(id)), undefined)
    issued(CONTENT, requestOf('r4', 'other'))
    issued({ ...CONTENT, contentId: 'series' }, requestOf('r5'))
    assert.deepEqual(spooled, [])
    runTimers()
    assert.deepEqual(
      spooled.map(({ contentId, requestId, requests }) => [contentId, requestId, requests]),
      [
        ['movie', 'r1', 3],
        ['movie', 'r4', undefined],
        ['series', 'r5', undefined],
      ],
    )
    issued(CONTENT, requestOf('r6'))
    runTimers()
    assert.equal(spooled.length, 4)
  })

  test('is handed on early when many differ, and when it is closed', () => {
    const { issued, close, spooled } = issuesOf('spool')
    for (let number = 0; number < 1_001; number++) issued({ ...CONTENT }, requestOf(`r${number}`))
    assert.equal(spooled.length, 1_000)
    close()
    assert.equal(spooled.length, 1_001)
  })

  test('is recorded before the answer leaves under require', async () => {
    const { issued, written } = issuesOf('require')
    await issued(CONTENT, requestOf('r1'))
    assert.deepEqual(written, [{ ...CONTENT, action: 'key.issue', outcome: 'ok', ...requestOf('r1') }])
  })

  test('does not happen under require when it cannot be recorded', async () => {
    const { issued } = issuesOf('require', new KeyProviderError('ERR_AUDIT_UNAVAILABLE', 'the disk is full'))
    await assert.rejects(issued(CONTENT, requestOf('r1')) ?? Promise.resolve(), { code: 'ERR_AUDIT_UNAVAILABLE' })
  })
})
