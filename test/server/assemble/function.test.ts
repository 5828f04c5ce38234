import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../../../src/server/assemble/assemble.ts'
import { AuditLines } from '../../../src/server/assemble/function.ts'
import { requestHandlers } from '../../../src/server/assemble/request-handlers.ts'
import { readConfig } from '../../../src/server/config/config.ts'
import { callOf } from '../../http/calls.ts'
import { KID, requestFor } from '../../protocols/speke/documents.ts'
import { keptLog, keptMetrics } from '../fakes.ts'

test('a function writes the audit record before its answer', async () => {
  const written: string[] = []
  const config = readConfig({ environment: { KEYSPRING_STORE: 'memory', KEYSPRING_AUDIT_NODE: 'f' } })
  const { log } = keptLog()
  const { metrics } = keptMetrics()
  const auditSink = new AuditLines((text) => written.push(text))
  const keyProvider = await assemble(config, log, metrics, { keepsTime: false, auditSink })
  const callers = await keyProvider.callers.load(config)
  keyProvider.callers.enforce(callers)
  const parts = {
    keyProvider,
    metrics,
    version: '9.9.9',
    publicUrl: 'https://k.example',
    isReady: async () => true,
  }
  const { main } = requestHandlers({ config, callers, ...parts })
  const headers = { 'x-speke-version': '2.0' }
  const { status } = await main(callOf('POST', '/copyProtection', { headers, bytes: Buffer.from(requestFor()) }))
  assert.equal(status, 200)
  const records = written
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual(
    records.map(({ action }) => action),
    ['audit.start', 'key.issue'],
  )
  const [, issue] = records
  assert.ok(Array.isArray(issue?.kids) && issue.kids.includes(KID))
  assert.match(String(issue.node), /^f-[\da-f]{8}$/)
  await keyProvider.close()
})
