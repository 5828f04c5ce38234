import { loadAwsServiceSpec } from '@aws-cdk/aws-service-spec'
import type { PropertyType, Resource, SpecDatabase } from '@aws-cdk/service-spec-types'
import type { CloudFormationTemplate } from '../plain-stack.ts'

type Property = { readonly type: PropertyType; readonly required?: boolean }

/** What the schema of CloudFormation says against a template: types and properties it does not know, required ones that are missing. */
export async function schemaProblems({ Resources }: CloudFormationTemplate): Promise<readonly string[]> {
  const database = await loadAwsServiceSpec()
  return Object.entries(Resources).flatMap(([id, { Type, Properties = {} }]) => {
    const [resource] = database.lookup('resource', 'cloudFormationType', 'equals', Type)
    if (resource === undefined) return [`${id}: no resource type ${Type}`]
    return propertyProblems(database, id, Properties, resource.properties)
  })
}

/** How many resource types the schema knows. */
export async function countTypes(): Promise<number> {
  const database = await loadAwsServiceSpec()
  return database.all('resource').filter(({ cloudFormationType }: Resource) => cloudFormationType.startsWith('AWS::'))
    .length
}

/** The names of every property of a resource type, and of the types that it uses. */
export async function membersBelow(type: string): Promise<readonly string[]> {
  const database = await loadAwsServiceSpec()
  const [resource] = database.lookup('resource', 'cloudFormationType', 'equals', type)
  if (resource === undefined) throw new Error(`no resource type ${type}`)
  const used = database.follow('usesType', resource).map(({ entity }) => entity)
  return [resource, ...used].flatMap(({ properties }) => Object.keys(properties))
}

function propertyProblems(
  database: SpecDatabase,
  path: string,
  value: unknown,
  properties: Readonly<Record<string, Property>>,
): readonly string[] {
  if (!isObject(value) || isIntrinsic(value)) return []
  return [
    ...Object.keys(value)
      .filter((name) => !(name in properties))
      .map((name) => `${path}: no property ${name}`),
    ...Object.entries(properties)
      .filter(([name, { required }]) => required === true && !(name in value))
      .map(([name]) => `${path}: ${name} is missing`),
    ...Object.entries(value).flatMap(([name, one]) => {
      const property = properties[name]
      return property === undefined ? [] : typeProblems(database, `${path}.${name}`, one, property.type)
    }),
  ]
}

/** Text, numbers and truth values are taken for one another, as CloudFormation does; a list or an object is neither. */
function typeProblems(database: SpecDatabase, path: string, value: unknown, type: PropertyType): readonly string[] {
  const branches = branchesOf(value)
  if (branches !== undefined) return branches.flatMap((one) => typeProblems(database, path, one, type))
  if (isIntrinsic(value)) return []
  switch (type.type) {
    case 'ref': {
      const definition = database.get('typeDefinition', type.reference.$ref)
      return isObject(value)
        ? propertyProblems(database, path, value, definition.properties)
        : [`${path}: expected an object`]
    }
    case 'array':
      return Array.isArray(value)
        ? value.flatMap((one, i) => typeProblems(database, `${path}[${i}]`, one, type.element))
        : [`${path}: expected a list`]
    case 'map':
      return isObject(value)
        ? Object.entries(value).flatMap(([name, one]) => typeProblems(database, `${path}.${name}`, one, type.element))
        : [`${path}: expected an object`]
    case 'union': {
      const problems = type.types.map((one) => typeProblems(database, path, value, one))
      return problems.find((one) => one.length === 0) ?? problems[0] ?? []
    }
    case 'json':
      return []
    default:
      return typeof value === 'object' ? [`${path}: expected ${type.type}`] : []
  }
}

/** Both values of an `Fn::If`. */
function branchesOf(value: unknown): readonly unknown[] | undefined {
  if (!isObject(value) || !('Fn::If' in value) || !Array.isArray(value['Fn::If'])) return undefined
  return value['Fn::If'].slice(1)
}

function isIntrinsic(value: unknown): boolean {
  return isObject(value) && Object.keys(value).length === 1 && /^(Ref|Fn::\w+)$/.test(Object.keys(value)[0] ?? '')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
