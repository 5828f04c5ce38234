import type { Dimensions } from './alarms.ts'
import type { Graph } from './dashboard.ts'

/** What the dashboard of the serverless template shows. */
export function serverlessGraphs(dimensions: Dimensions): readonly Graph[] {
  const of = (namespace: string, name: string, resource: string, more: Readonly<Record<string, unknown>> = {}) => [
    namespace,
    name,
    ...Object.entries(dimensions[resource] ?? {}).flat(),
    more,
  ]
  const api = (name: string, more?: Readonly<Record<string, unknown>>) => [
    of('AWS/ApiGateway', name, 'spekeApi', { label: `${name} of encryptors`, ...more }),
    of('AWS/ApiGateway', name, 'playerApi', { label: `${name} of players`, ...more }),
  ]
  return [
    { title: 'Requests', metrics: api('Count') },
    { title: 'Failures, 5XX', metrics: api('5XXError') },
    { title: 'Refusals, 4XX', metrics: api('4XXError') },
    { title: 'Latency, p99, ms', metrics: api('Latency', { stat: 'p99' }) },
    { title: 'Keys issued', keyspring: [{ name: 'keyspring_issued_keys_total', by: 'first' }] },
    { title: 'Refusals by code', keyspring: [{ name: 'keyspring_refusals_total', by: 'code' }] },
    {
      title: 'KMS and table',
      keyspring: [
        { name: 'keyspring_root_key_operation_errors_total' },
        { name: 'keyspring_store_operation_errors_total' },
        { name: 'keyspring_stale_data_key_uses_total' },
      ],
    },
    { title: 'Rotations missed', keyspring: [{ name: 'keyspring_rotations_missed_total' }] },
    {
      title: 'Table',
      metrics: [
        of('AWS/DynamoDB', 'ConsumedReadCapacityUnits', 'table'),
        of('AWS/DynamoDB', 'ConsumedWriteCapacityUnits', 'table'),
        of('AWS/DynamoDB', 'ReadThrottleEvents', 'table'),
        of('AWS/DynamoDB', 'WriteThrottleEvents', 'table'),
      ],
    },
    {
      title: 'Functions',
      metrics: ['issuer', 'player'].flatMap((name) => [
        of('AWS/Lambda', 'ConcurrentExecutions', name, { stat: 'Maximum', label: `${name}: instances` }),
        of('AWS/Lambda', 'Throttles', name, { label: `${name}: throttled` }),
        of('AWS/Lambda', 'Errors', name, { label: `${name}: crashed` }),
      ]),
    },
  ]
}
