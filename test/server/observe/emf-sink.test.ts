import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { emfSink } from '../../../src/server/observe/emf-sink.ts'
import { METRICS } from '../../../src/server/observe/metric-table.ts'
import { metricsOver } from '../../../src/server/observe/metrics.ts'

const opened = () => {
  const sink = emfSink({ service: 'issuer', now: () => 1_000 })
  const metrics = metricsOver(sink, '9.9.9')
  return { metrics, take: () => sink.take().map((line) => JSON.parse(line)) }
}

describe('metrics in the embedded format of CloudWatch', () => {
  test('are one line for a request, with the names of /metrics', () => {
    const { metrics, take } = opened()
    metrics.request('copyProtection', '2.0', 200, 12.5)
    metrics.issued(3, true)
    const [document, ...others] = take()
    assert.deepEqual(others, [])
    assert.equal(document.keyspring_requests_total, 1)
    assert.equal(document.keyspring_issued_keys_total, 3)
    assert.deepEqual(document.keyspring_request_duration_seconds, [0.0125])
    assert.deepEqual(
      [document.Service, document.route, document.status, document.first],
      ['issuer', 'copyProtection', '200', 'true'],
    )
    const { Timestamp, CloudWatchMetrics } = document._aws
    assert.equal(Timestamp, 1_000)
    assert.deepEqual(CloudWatchMetrics, [
      {
        Namespace: 'Keyspring',
        Dimensions: [['Service', 'route', 'speke_version', 'status']],
        Metrics: [{ Name: 'keyspring_requests_total', Unit: 'Count' }],
      },
      {
        Namespace: 'Keyspring',
        Dimensions: [['Service']],
        Metrics: [
          { Name: 'keyspring_request_duration_seconds', Unit: 'Seconds' },
          { Name: 'keyspring_request_keys', Unit: 'Count' },
        ],
      },
      {
        Namespace: 'Keyspring',
        Dimensions: [['Service', 'first']],
        Metrics: [{ Name: 'keyspring_issued_keys_total', Unit: 'Count' }],
      },
    ])
  })

  test('are added up until they are taken, and then begin anew', () => {
    const { metrics, take } = opened()
    metrics.refusal('ERR_FORBIDDEN')
    metrics.refusal('ERR_FORBIDDEN')
    assert.equal(take()[0].keyspring_refusals_total, 2)
    assert.deepEqual(take(), [])
  })

  test('have another line for another value of a dimension', () => {
    const { metrics, take } = opened()
    metrics.drmSignaling('Widevine', 2)
    metrics.drmSignaling('PlayReady', 2)
    assert.deepEqual(
      take().map(({ system }) => system),
      ['Widevine', 'PlayReady'],
    )
  })

  test('leave out gauges, and what would be more values than a document holds', () => {
    const { metrics, take } = opened()
    metrics.sealedRows([{ tenant: 'a', generation: 1, rows: 9 }])
    for (let n = 0; n < 500; n++) metrics.storeOperation('findContent', 'dynamodb', n, undefined)
    const [document, ...others] = take()
    assert.deepEqual(others, [])
    assert.equal(document.keyspring_store_operation_duration_seconds.length, 100)
    assert.equal(document.keyspring_sealed_rows, undefined)
  })

  test('have no more dimensions than CloudWatch takes', () => {
    for (const { name, labels } of Object.values(METRICS)) assert.ok(labels.length < 30, name)
  })
})
