import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { type DynamoDbValue, toAttribute } from './items.ts'

/** The conditions that an item must meet, all of them. */
export interface DynamoDbCondition {
  readonly absent?: readonly string[]
  readonly present?: readonly string[]
  readonly equal?: Readonly<Record<string, string | number | Uint8Array>>
  /** Attributes that exist and are less than this. */
  readonly below?: Readonly<Record<string, string | number>>
}

/** A DynamoDB expression. Names and values are always passed separately, because many names are reserved words. */
export interface Expression {
  readonly text: string
  readonly names: Readonly<Record<string, string>>
  readonly values: Readonly<Record<string, AttributeValue>>
}

const NOTHING: Expression = { text: '', names: {}, values: {} }

/** The text of a condition. Its names and values are added to those of `other`, which is part of the same request. */
export function conditionOf(condition: DynamoDbCondition = {}, other: Expression = NOTHING): Expression {
  const { absent = [], present = [], equal = {}, below = {} } = condition
  const names: Record<string, string> = { ...other.names }
  const values: Record<string, AttributeValue> = { ...other.values }
  const named = (name: string): string => {
    names[`#${name}`] = name
    return `#${name}`
  }
  const compared = (operator: string, [name, value]: [string, string | number | Uint8Array], i: number): string => {
    const place = `:${operator === '=' ? 'e' : 'b'}${i}`
    values[place] = toAttribute(value)
    return `${named(name)} ${operator} ${place}`
  }
  const clauses = [
    ...absent.map((name) => `attribute_not_exists(${named(name)})`),
    ...present.map((name) => `attribute_exists(${named(name)})`),
    ...Object.entries(equal).map((one, i) => compared('=', one, i)),
    ...Object.entries(below).map((one, i) => compared('<', one, i)),
  ]
  return { text: clauses.join(' AND '), names, values }
}

/** The text of an update: sets what has a value and removes what has none. */
export function clausesOf(change: Readonly<Record<string, DynamoDbValue>>): Expression {
  const names: Record<string, string> = {}
  const values: Record<string, AttributeValue> = {}
  const sets: string[] = []
  const removes: string[] = []
  for (const [name, value] of Object.entries(change)) {
    names[`#${name}`] = name
    if (value === undefined) {
      removes.push(`#${name}`)
    } else {
      values[`:s${sets.length}`] = toAttribute(value)
      sets.push(`#${name} = :s${sets.length}`)
    }
  }
  const clauses = [
    sets.length === 0 ? [] : [`SET ${sets.join(', ')}`],
    removes.length === 0 ? [] : [`REMOVE ${removes.join(', ')}`],
  ]
  return { text: clauses.flat().join(' '), names, values }
}
