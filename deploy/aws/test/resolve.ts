import assert from 'node:assert/strict'
import type { CloudFormationTemplate, TemplateParameter } from '../plain-stack.ts'

/** A template as it would be deployed with certain answers: conditions decided, references replaced by names. */
export interface Deployed {
  readonly resources: ReadonlyMap<string, DeployedResource>
  readonly outputs: ReadonlyMap<string, unknown>
}

export interface DeployedResource {
  readonly type: string
  readonly properties: Plain
}

/** Properties without intrinsic functions. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at shapes that only CloudFormation knows
export type Plain = any

export const REGION = 'eu-west-1'
export const ACCOUNT = '123456789012'
export const STACK = 'keys'

type Answers = Readonly<Record<string, string | number>>

const PSEUDO: Readonly<Record<string, string>> = {
  'AWS::Region': REGION,
  'AWS::AccountId': ACCOUNT,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
  'AWS::StackName': STACK,
}

const NOTHING = Symbol('AWS::NoValue')

/** Fails where CloudFormation would: an answer that is not allowed, a reference to what is not made. */
export function deploy(template: CloudFormationTemplate, answers: Answers = {}): Deployed {
  const values = parameterValues(template, answers)
  const { Conditions = {}, Resources, Outputs = {} } = template
  const holds = (name: string): boolean => {
    assert.ok(name in Conditions, `no condition ${name}`)
    return evaluate(Conditions[name]) === true
  }
  const isMade = (id: string): boolean => {
    const resource = Resources[id]
    return resource !== undefined && (resource.Condition === undefined || holds(resource.Condition))
  }
  const reference = (id: string, attribute?: string): unknown => {
    if (id === 'AWS::NoValue') return NOTHING
    if (attribute === undefined && id in PSEUDO) return PSEUDO[id]
    if (attribute === undefined && values.has(id)) return values.get(id)
    assert.ok(isMade(id), `a reference to ${id}, which is not made`)
    return attribute?.endsWith('Arn')
      ? arnOf(Resources[id]?.Type ?? '', id)
      : `${id}${attribute === undefined ? '' : `.${attribute}`}`
  }

  const FUNCTIONS: Readonly<Record<string, (argument: Plain) => unknown>> = {
    Ref: (id) => reference(id),
    'Fn::GetAtt': ([id, attribute]) => reference(id, attribute),
    'Fn::If': ([condition, yes, no]) => evaluate(holds(condition) ? yes : no),
    'Fn::Equals': ([a, b]) => evaluate(a) === evaluate(b),
    'Fn::Not': ([a]) => evaluate(a) !== true,
    'Fn::And': (all: Plain[]) => all.every((one) => evaluate(one) === true),
    'Fn::Or': (all: Plain[]) => all.some((one) => evaluate(one) === true),
    Condition: (name) => holds(name),
    'Fn::Join': ([delimiter, list]) => (evaluate(list) as Plain[]).join(delimiter),
    'Fn::Split': ([delimiter, text]) => (evaluate(text) as string).split(delimiter),
    'Fn::Select': ([index, list]) => (evaluate(list) as Plain[])[Number(index)],
    'Fn::ImportValue': (name) => `imported ${evaluate(name)}`,
    'Fn::Sub': (argument) => {
      const [text, names = {}] = typeof argument === 'string' ? [argument] : argument
      return text.replace(/\$\{([^}!]+)\}/g, (_: string, name: string) => {
        if (name in names) return String(evaluate(names[name]))
        const [id = '', ...attribute] = name.split('.')
        return String(attribute.length === 0 ? reference(name) : reference(id, attribute.join('.')))
      })
    },
  }

  const evaluate = (value: Plain): unknown => {
    if (Array.isArray(value)) return value.map(evaluate).filter((one) => one !== NOTHING)
    if (typeof value !== 'object' || value === null) return value
    const [[name, argument] = []] = Object.entries(value)
    const isIntrinsic = Object.keys(value).length === 1 && name !== undefined && name in FUNCTIONS
    // `Condition` is a function in conditions alone; elsewhere it is a property of policies.
    if (isIntrinsic && (name !== 'Condition' || typeof argument === 'string')) return FUNCTIONS[name]?.(argument)
    return Object.fromEntries(
      Object.entries(value)
        .map(([key, one]) => [key, evaluate(one)] as const)
        .filter(([, one]) => one !== NOTHING),
    )
  }

  return {
    resources: new Map(
      Object.entries(Resources)
        .filter(([id]) => isMade(id))
        .map(([id, { Type, Properties = {} }]) => [id, { type: Type, properties: evaluate(Properties) }]),
    ),
    outputs: new Map(
      Object.entries(Outputs)
        .filter(([, { Condition }]) => Condition === undefined || holds(Condition))
        .map(([name, { Value }]) => [name, evaluate(Value)]),
    ),
  }
}

/** What the rules of a template say against these answers. */
export function brokenRules(template: CloudFormationTemplate, answers: Answers): readonly string[] {
  const rules = Object.entries(template.Rules ?? {}) as [
    string,
    { RuleCondition?: Plain; Assertions: { Assert: Plain }[] },
  ][]
  // Rules know parameters alone: they are decided like conditions.
  const decide = (expression: Plain): boolean =>
    deploy(
      {
        ...template,
        Conditions: { ThisRule: expression },
        Resources: { One: { Type: 'T', Condition: 'ThisRule' } },
        Outputs: {},
      },
      answers,
    ).resources.size === 1
  return rules
    .filter(([, { RuleCondition }]) => RuleCondition === undefined || decide(RuleCondition))
    .filter(([, { Assertions }]) => !Assertions.every(({ Assert }) => decide(Assert)))
    .map(([name]) => name)
}

/** The resource of this id. */
export function resource({ resources }: Deployed, id: string): DeployedResource {
  return resources.get(id) ?? assert.fail(`${id} is not made: ${[...resources.keys()].join(', ')}`)
}

/** The resources of a type by id. */
export function ofType({ resources }: Deployed, type: string): readonly (readonly [id: string, properties: Plain])[] {
  return [...resources].filter(([, one]) => one.type === type).map(([id, { properties }]) => [id, properties] as const)
}

function parameterValues({ Parameters = {} }: CloudFormationTemplate, answers: Answers): ReadonlyMap<string, unknown> {
  for (const name of Object.keys(answers)) assert.ok(name in Parameters, `no parameter ${name}`)
  return new Map(
    Object.entries(Parameters).map(([name, parameter]) => {
      const text = String(answers[name] ?? parameter.Default ?? assert.fail(`${name} has to be answered`))
      const values = parameter.Type === 'CommaDelimitedList' ? text.split(',') : [text]
      for (const value of values)
        assert.ok(isAllowed(parameter, value), `${name} does not take ${JSON.stringify(value)}`)
      return [name, parameter.Type === 'CommaDelimitedList' ? values : text]
    }),
  )
}

function isAllowed({ AllowedPattern, AllowedValues, MinValue, MaxValue }: TemplateParameter, value: string): boolean {
  if (AllowedPattern !== undefined && !new RegExp(`^(?:${AllowedPattern})$`).test(value)) return false
  if (AllowedValues !== undefined && !AllowedValues.map(String).includes(value)) return false
  return (MinValue === undefined || Number(value) >= MinValue) && (MaxValue === undefined || Number(value) <= MaxValue)
}

const ARN_FORMS: Readonly<Record<string, (id: string) => string>> = {
  'AWS::Events::Rule': (id) => `arn:aws:events:${REGION}:${ACCOUNT}:rule/${id}`,
  'AWS::IAM::Role': (id) => `arn:aws:iam::${ACCOUNT}:role/${id}`,
  'AWS::KMS::Key': (id) => `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`,
  'AWS::Lambda::Function': (id) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${id}`,
  'AWS::Logs::LogGroup': (id) => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${id}:*`,
  'AWS::MediaPackageV2::OriginEndpoint': (id) => `arn:aws:mediapackagev2:${REGION}:${ACCOUNT}:originEndpoint/${id}`,
  'AWS::WAFv2::WebACL': (id) => `arn:aws:wafv2:${REGION}:${ACCOUNT}:regional/webacl/${id}`,
}

function arnOf(type: string, id: string): string {
  return ARN_FORMS[type]?.(id) ?? assert.fail(`no ARN is known of ${type}`)
}
