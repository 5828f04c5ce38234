import { type App, Validations } from 'aws-cdk-lib'
import { ACCEPTED_BY_CDK } from './accepted.ts'
import { type CloudFormationTemplate, plainApp } from './plain-stack.ts'
import { gatewayStack } from './stacks/gateway.ts'
import { serverlessStack } from './stacks/serverless.ts'

/** The stacks by the names of their templates. */
export const STACKS = {
  'keyspring-serverless': serverlessStack,
  'keyspring-gateway': gatewayStack,
} as const

export type TemplateName = keyof typeof STACKS

/** The text of every template, as it is kept beside. `scratch` is a directory that the CDK writes into; `watch` may add checks. */
export function synthesize(
  scratch: string,
  watch: (app: App) => void = () => {},
): Readonly<Record<TemplateName, string>> {
  const app = plainApp(scratch)
  Validations.of(app).acknowledge(
    ...ACCEPTED_BY_CDK.map(({ rule, reason }) => ({ id: `CloudFormation-Validate::${rule}`, reason })),
  )
  watch(app)
  const stacks = Object.entries(STACKS).map(([name, make]) => [name, make(app, name)] as const)
  const assembly = app.synth()
  return Object.fromEntries(
    stacks.map(([name, { artifactId }]) => {
      const template: CloudFormationTemplate = assembly.getStackArtifact(artifactId).template
      return [name, `${JSON.stringify(template, null, 2)}\n`]
    }),
  ) as Record<TemplateName, string>
}
