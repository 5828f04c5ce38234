import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '../../../src/server/observe/metrics.ts'

test('sealed values are counted by generation, and the newest of each tenant apart', async () => {
  const metrics = await createMetrics('0.0.0')
  metrics.sealedRows([{ tenant: 'a', generation: 1, rows: 9 }])
  metrics.sealedRows([
    { tenant: 'a', generation: 1, rows: 5 },
    { tenant: 'a', generation: 2, rows: 7 },
    { tenant: 'b', generation: 2, rows: 1 },
  ])
  metrics.staleDataKey()
  metrics.refusal('ERR_SEAL_BROKEN')
  const { text } = await metrics.render()
  const lines = text.split('\n').filter((line) => /^keyspring_(sealed_rows|stale_data|refusals)/.test(line))
  assert.deepEqual(lines.sort(), [
    'keyspring_refusals_total{code="ERR_SEAL_BROKEN"} 1',
    'keyspring_sealed_rows{generation="1",newest="false"} 5',
    'keyspring_sealed_rows{generation="2",newest="true"} 8',
    'keyspring_stale_data_key_uses_total 1',
  ])
})
