import type { Stack } from 'aws-cdk-lib'
import { CfnRole } from 'aws-cdk-lib/aws-iam'
import type { Statement } from './statements.ts'

export interface RoleOptions {
  readonly description: string
  /** Who may assume it. */
  readonly principal: Readonly<Record<string, unknown>>
  readonly trustCondition?: unknown
  readonly policies: readonly { readonly name: string; readonly statements: unknown }[]
  readonly managedPolicyArns?: string[]
}

/** A role with its policies inside: who has it has nothing else. */
export function role(stack: Stack, id: string, options: RoleOptions): CfnRole {
  const { description, principal, trustCondition, policies, managedPolicyArns } = options
  return new CfnRole(stack, id, {
    description,
    managedPolicyArns,
    assumeRolePolicyDocument: {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: principal,
          Action: 'sts:AssumeRole',
          ...(trustCondition !== undefined && { Condition: trustCondition }),
        },
      ],
    },
    policies: policies.map(({ name, statements }) => ({
      policyName: name,
      policyDocument: { Version: '2012-10-17', Statement: statements },
    })),
  })
}

/** A policy of a role. */
export function policy(name: string, ...statements: readonly (Statement | string)[]) {
  return { name, statements }
}
