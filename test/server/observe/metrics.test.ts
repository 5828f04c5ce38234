import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '../../../src/server/observe/metrics.ts'

test('what was counted is in the text, under names with units', async () => {
  const metrics = await createMetrics('9.9.9')
  metrics.request('copyProtection', '2.0', 200, 3)
  metrics.request('copyProtection', '2.0', 200, 3)
  metrics.request('none', 'none', 404, 0)
  metrics.refusal('ERR_ROUTE_NOT_FOUND')
  metrics.issued(2, true)
  metrics.issued(3, false)
  metrics.pathVersionMismatch()
  metrics.unreadable(431)
  metrics.ledgerLost(5)
  const { contentType, text } = await metrics.render()
  assert.match(contentType, /^text\/plain; version=0\.0\.4/)
  for (const line of [
    'keyspring_build_info{version="9.9.9"} 1',
    'keyspring_requests_total{route="copyProtection",speke_version="2.0",status="200"} 2',
    'keyspring_requests_total{route="none",speke_version="none",status="404"} 1',
    'keyspring_refusals_total{code="ERR_ROUTE_NOT_FOUND"} 1',
    'keyspring_issued_keys_total{first="true"} 2',
    'keyspring_issued_keys_total{first="false"} 3',
    'keyspring_path_version_mismatches_total 1',
    'keyspring_unreadable_requests_total{status="431"} 1',
    'keyspring_ledger_lost_records_total 5',
    'keyspring_request_duration_seconds_bucket{le="0.0025",route="copyProtection"} 0',
    'keyspring_request_duration_seconds_bucket{le="0.005",route="copyProtection"} 2',
  ]) {
    assert.ok(text.split('\n').includes(line), line)
  }
})

test('two servers in one process count apart', async () => {
  const [one, other] = await Promise.all([createMetrics('1'), createMetrics('2')])
  one.ledgerLost(1)
  assert.match((await other.render()).text, /keyspring_ledger_lost_records_total 0/)
})
