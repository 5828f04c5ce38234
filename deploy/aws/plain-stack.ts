import { App, BootstraplessSynthesizer, type CfnElement, Stack } from 'aws-cdk-lib'

/** A template as CloudFormation reads it. */
export interface CloudFormationTemplate {
  readonly Description?: string
  readonly Metadata?: { readonly 'AWS::CloudFormation::Interface'?: ConsoleInterface }
  readonly Parameters?: Readonly<Record<string, TemplateParameter>>
  readonly Conditions?: Readonly<Record<string, unknown>>
  readonly Rules?: Readonly<Record<string, unknown>>
  readonly Resources: Readonly<Record<string, TemplateResource>>
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown; readonly Condition?: string }>>
}

/** How the console shows parameters. */
export interface ConsoleInterface {
  readonly ParameterGroups: readonly { readonly Parameters: readonly string[] }[]
  readonly ParameterLabels: Readonly<Record<string, unknown>>
}

export interface TemplateParameter {
  readonly Type: string
  readonly Description?: string
  readonly Default?: string | number
  readonly AllowedPattern?: string
  readonly AllowedValues?: readonly (string | number)[]
  readonly MinValue?: number
  readonly MaxValue?: number
  readonly NoEcho?: boolean
}

export interface TemplateResource {
  readonly Type: string
  readonly Condition?: string
  readonly DeletionPolicy?: string
  readonly UpdateReplacePolicy?: string
  readonly Properties?: Readonly<Record<string, unknown>>
}

/** A stack whose template anybody can deploy: no bootstrap version, no metadata of the CDK, the logical ids that the code chose. */
export class PlainStack extends Stack {
  constructor(app: App, name: string, description: string) {
    super(app, name, { description, analyticsReporting: false, synthesizer: new BootstraplessSynthesizer() })
  }

  protected override allocateLogicalId(element: CfnElement): string {
    return element.node.path.split('/').slice(1).join('')
  }
}

/** An app that writes nothing into templates that only the CDK's own tools read. */
export function plainApp(outdir: string): App {
  return new App({
    outdir,
    analyticsReporting: false,
    treeMetadata: false,
    context: {
      'aws:cdk:enable-path-metadata': false,
      'aws:cdk:enable-asset-metadata': false,
      '@aws-cdk/core:validateAgainstDefaultRules': true,
    },
  })
}
