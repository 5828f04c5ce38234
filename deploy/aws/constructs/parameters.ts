import { CfnParameter, type Stack } from 'aws-cdk-lib'
import type { ParameterRow } from './parameter-table.ts'

/** The order of the groups in the console. */
const GROUPS = ['Code', 'Self-hosted', 'Encryptors', 'Keys', 'Players', 'Limits', 'Operations']

/** The parameters of a template by name, in groups and with labels as the console shows them. */
export function parameters<Name extends string>(
  stack: Stack,
  table: Readonly<Record<Name, ParameterRow>>,
): Readonly<Record<Name, CfnParameter>> {
  const rows = Object.entries<ParameterRow>(table)
  stack.templateOptions.metadata = {
    'AWS::CloudFormation::Interface': {
      ParameterGroups: GROUPS.map((group) => ({
        Label: { default: group },
        Parameters: rows.filter(([, row]) => row.group === group).map(([name]) => name),
      })).filter(({ Parameters }) => Parameters.length > 0),
      ParameterLabels: Object.fromEntries(rows.map(([name, { label }]) => [name, { default: label }])),
    },
  }
  return Object.fromEntries(rows.map(([name, row]) => [name, parameter(stack, name, row)])) as Record<
    Name,
    CfnParameter
  >
}

function parameter(stack: Stack, name: string, row: ParameterRow): CfnParameter {
  return new CfnParameter(stack, name, {
    type: row.type ?? 'String',
    description: row.description,
    default: row.default,
    allowedValues: row.allowedValues === undefined ? undefined : [...row.allowedValues],
    allowedPattern: row.allowedPattern,
    constraintDescription: row.constraint,
    minValue: row.min,
    maxValue: row.max,
  })
}
