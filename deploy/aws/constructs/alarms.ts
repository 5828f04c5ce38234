import { type CfnCondition, Fn, type Stack } from 'aws-cdk-lib'
import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch'
import type { AlarmMetric, AlarmRow } from './alarm-table.ts'
import { under } from './conditions.ts'

/** The names of the metric dimensions of what the alarms are about, by resource. */
export type Dimensions = Readonly<Record<string, Readonly<Record<string, string>>>>

export interface AlarmOptions {
  readonly topicArn: string
  readonly dimensions: Dimensions
  readonly isMade?: CfnCondition
}

/** The namespace of Keyspring's own metrics, which are those of `/metrics`. */
export const NAMESPACE = 'Keyspring'

/** An alarm for each row. Nothing to look at is no alarm: a channel may be off. */
export function alarms(stack: Stack, rows: readonly AlarmRow[], options: AlarmOptions): readonly CfnAlarm[] {
  const { topicArn, dimensions, isMade } = options
  const made = rows.map((row) => {
    const { id, description, metric, statistic, above, periodSeconds, periods } = row
    return new CfnAlarm(stack, `Alarm${id}`, {
      alarmName: Fn.sub(`\${AWS::StackName}-${id}`),
      alarmDescription: description,
      alarmActions: [topicArn],
      okActions: [topicArn],
      treatMissingData: 'notBreaching',
      comparisonOperator: 'GreaterThanThreshold',
      threshold: above,
      evaluationPeriods: periods,
      ...observed(metric, statistic, periodSeconds, dimensions),
    })
  })
  if (isMade !== undefined) under(isMade, ...made)
  return made
}

/** The query by which a metric of Keyspring is added up over everything it is counted by. */
export function keyspringQuery(stack: string, name: string, where?: string): string {
  const conditions = [`Service = '${stack}'`, ...(where === undefined ? [] : [where])]
  return `SELECT SUM(${name}) FROM "${NAMESPACE}" WHERE ${conditions.join(' AND ')}`
}

function observed(metric: AlarmMetric, statistic: AlarmRow['statistic'], period: number, dimensions: Dimensions) {
  if ('keyspring' in metric) {
    const expression = Fn.sub(keyspringQuery('${AWS::StackName}', metric.keyspring, metric.where))
    return { metrics: [{ id: 'total', expression, period, returnData: true }] }
  }
  return {
    namespace: metric.namespace,
    metricName: metric.name,
    period,
    ...(statistic === 'p99' ? { extendedStatistic: 'p99' } : { statistic }),
    dimensions: Object.entries(dimensions[metric.of] ?? {}).map(([name, value]) => ({ name, value })),
  }
}
