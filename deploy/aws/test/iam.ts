import type { Deployed, Plain } from './resolve.ts'
import { resource } from './resolve.ts'

/** What somebody wants to do. */
export interface Attempt {
  readonly action: string
  readonly resource: string
  /** The values of condition keys, as AWS would give them. */
  readonly context?: Readonly<Record<string, string>>
}

/** Whether the policies of a role let whoever assumed it do this. A small part of IAM, which knows no operator it cannot evaluate. */
export function mayDo(deployed: Deployed, role: string, attempt: Attempt): boolean {
  const { Policies = [] } = resource(deployed, role).properties
  const statements: Plain[] = Policies.flatMap(({ PolicyDocument }: Plain) => PolicyDocument.Statement)
  return decide(
    statements.filter(({ Resource }) => matchesAny(Resource, attempt.resource)),
    attempt,
  )
}

/** Whether a service or user may assume a role. */
export function mayAssume(
  deployed: Deployed,
  role: string,
  principal: string,
  context: Readonly<Record<string, string>> = {},
): boolean {
  const { AssumeRolePolicyDocument } = resource(deployed, role).properties
  const named = AssumeRolePolicyDocument.Statement.filter(({ Principal }: Plain) =>
    Object.values(Principal).flat().includes(principal),
  )
  return decide(named, { action: 'sts:AssumeRole', resource: '*', context })
}

/** Whether the statements of a resource policy let a principal do this. */
export function policyLets(statements: readonly Plain[], principal: string, attempt: Attempt): boolean {
  const named = statements.filter(({ Principal }) =>
    [Principal === '*' ? ['*'] : Object.values(Principal).flat()]
      .flat()
      .some((one) => one === '*' || one === principal),
  )
  return decide(named, attempt)
}

function decide(statements: readonly Plain[], { action, context = {} }: Attempt): boolean {
  const that = statements.filter(
    ({ Action, Condition }) => matchesAny(Action, action) && conditionHolds(Condition ?? {}, context),
  )
  return that.some(({ Effect }) => Effect === 'Allow') && !that.some(({ Effect }) => Effect === 'Deny')
}

function matchesAny(patterns: string | readonly string[], value: string): boolean {
  return [patterns].flat().some((pattern) => matches(pattern, value))
}

function matches(pattern: string, value: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${expression}$`, 'i').test(value)
}

const OPERATORS: Readonly<Record<string, (found: string | undefined, wanted: readonly string[]) => boolean>> = {
  StringEquals: (found, wanted) => found !== undefined && wanted.includes(found),
  StringLike: (found, wanted) => found !== undefined && wanted.some((one) => matches(one, found)),
  Bool: (found, wanted) => found !== undefined && wanted.includes(found),
  BoolIfExists: (found, wanted) => found === undefined || wanted.includes(found),
}

function conditionHolds(condition: Plain, context: Readonly<Record<string, string>>): boolean {
  return Object.entries<Plain>(condition).every(([operator, keys]) => {
    const holds = OPERATORS[operator]
    if (holds === undefined) throw new Error(`the operator ${operator} is not known here`)
    return Object.entries<Plain>(keys).every(([key, wanted]) => holds(context[key], [wanted].flat().map(String)))
  })
}
