import { Aws, Fn, type Stack } from 'aws-cdk-lib'
import { CfnDashboard } from 'aws-cdk-lib/aws-cloudwatch'
import { keyspringQuery } from './alarms.ts'

/** A graph: of metrics of AWS as CloudWatch's dashboards write them, or of a metric of Keyspring, by one of its labels. */
export interface Graph {
  readonly title: string
  readonly metrics?: readonly (readonly unknown[])[]
  readonly keyspring?: readonly { readonly name: `keyspring_${string}`; readonly by?: string }[]
  readonly statistic?: string
}

const WIDTH = 8
const HEIGHT = 6
const COLUMNS = 3

/** One page with everything that is looked at first. */
export function dashboard(stack: Stack, graphs: readonly Graph[]): CfnDashboard {
  const widgets = graphs.map(({ title, metrics = [], keyspring = [], statistic = 'Sum' }, i) => ({
    type: 'metric',
    x: (i % COLUMNS) * WIDTH,
    y: Math.floor(i / COLUMNS) * HEIGHT,
    width: WIDTH,
    height: HEIGHT,
    properties: {
      title,
      region: Aws.REGION,
      stat: statistic,
      period: 60,
      metrics: [
        ...metrics,
        ...keyspring.map(({ name, by }, n) => [
          {
            id: `q${n}`,
            label: by === undefined ? name : `\${PROP('Dim.${by}')}`,
            expression: `${keyspringQuery(Aws.STACK_NAME, name)}${by === undefined ? '' : ` GROUP BY ${by}`}`,
          },
        ]),
      ],
    },
  }))
  return new CfnDashboard(stack, 'Dashboard', {
    dashboardName: Fn.sub('${AWS::StackName}-${AWS::Region}'),
    dashboardBody: stack.toJsonString({ widgets }),
  })
}
