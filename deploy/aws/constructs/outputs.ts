import { type CfnCondition, CfnOutput, Fn, type Stack } from 'aws-cdk-lib'

/** A value that other stacks import as STACK-NAME. */
export function output(stack: Stack, name: string, value: string, description: string, condition?: CfnCondition): void {
  new CfnOutput(stack, name, { value, description, exportName: Fn.sub(`\${AWS::StackName}-${name}`), condition })
}
