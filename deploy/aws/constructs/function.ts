import { CfnDeletionPolicy, type Stack } from 'aws-cdk-lib'
import { CfnFunction } from 'aws-cdk-lib/aws-lambda'
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs'
import { policy, role } from './roles.ts'
import { runStatements, type Statement } from './statements.ts'

export interface FunctionOptions {
  readonly description: string
  readonly code: { readonly s3Bucket: string; readonly s3Key: string }
  /** The export of the bundle that is called. */
  readonly handler: string
  readonly environment: Readonly<Record<string, string>>
  /** Statements, or those that stand under a condition. */
  readonly statements: readonly (Statement | string)[]
  readonly memoryMb: number
  readonly timeoutSeconds: number
  readonly reservedConcurrency?: number
  readonly logRetentionDays: number
}

/** A function with a role and a log of its own. */
export function lambdaFunction(stack: Stack, id: string, options: FunctionOptions) {
  const { description, code, handler, environment, statements, memoryMb, timeoutSeconds } = options
  const logGroup = new CfnLogGroup(stack, `${id}Log`, { retentionInDays: options.logRetentionDays })
  // The log of what happened before a deletion is what people look for after it.
  logGroup.cfnOptions.deletionPolicy = CfnDeletionPolicy.RETAIN
  logGroup.cfnOptions.updateReplacePolicy = CfnDeletionPolicy.RETAIN
  const executionRole = role(stack, `${id}Role`, {
    description: `What the function may do: ${description}`,
    principal: { Service: 'lambda.amazonaws.com' },
    policies: [policy('function', ...runStatements(logGroup.ref), ...statements)],
  })
  const fn = new CfnFunction(stack, id, {
    description,
    code,
    handler,
    runtime: 'nodejs24.x',
    architectures: ['arm64'],
    memorySize: memoryMb,
    timeout: timeoutSeconds,
    reservedConcurrentExecutions: options.reservedConcurrency,
    role: executionRole.attrArn,
    environment: { variables: { ...environment } },
    tracingConfig: { mode: 'Active' },
    // Keyspring writes JSON lines, metrics among them: the JSON format of Lambda would wrap them.
    loggingConfig: { logGroup: logGroup.ref, logFormat: 'Text' },
  })
  return { fn, role: executionRole, logGroup, all: [fn, executionRole, logGroup] }
}
