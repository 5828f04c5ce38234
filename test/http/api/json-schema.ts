import assert from 'node:assert/strict'

/** As much of JSON Schema 2020-12 as the description of the API uses; anything else in a schema is a failure. */

type Schema = Readonly<Record<string, unknown>>

const KEYWORDS = new Set([
  '$ref',
  'type',
  'enum',
  'const',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'anyOf',
  'minItems',
  'maxItems',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'pattern',
  'format',
  'description',
  'example',
  'default',
])

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
  null: (value) => value === null,
}

/** What does not fit, by its place. */
export function misfits(schema: Schema, value: unknown, root: Schema, path = '$'): readonly string[] {
  for (const keyword of Object.keys(schema)) assert.ok(KEYWORDS.has(keyword), `${path}: unknown keyword ${keyword}`)
  if (typeof schema.$ref === 'string') return misfits(resolve(schema.$ref, root), value, root, path)
  const wrong: string[] = []
  const expect = (fits: boolean, what: string): void => void (fits || wrong.push(`${path}: ${what}`))

  const types = schema.type === undefined ? [] : [schema.type].flat().map(String)
  expect(types.length === 0 || types.some((type) => TYPES[type]?.(value) === true), `expected ${types.join(' or ')}`)
  if (Array.isArray(schema.enum)) expect(schema.enum.includes(value), `expected one of ${schema.enum}`)
  if ('const' in schema) expect(value === schema.const, `expected ${schema.const}`)
  if (Array.isArray(schema.anyOf)) {
    const any = (schema.anyOf as Schema[]).map((one) => misfits(one, value, root, path))
    expect(
      any.some((one) => one.length === 0),
      `fits none: ${any.flat().join('; ')}`,
    )
  }
  if (typeof value === 'string') {
    if (typeof schema.minLength === 'number') expect(value.length >= schema.minLength, 'too short')
    if (typeof schema.maxLength === 'number') expect(value.length <= schema.maxLength, 'too long')
    if (typeof schema.pattern === 'string')
      expect(new RegExp(schema.pattern, 'u').test(value), 'does not fit the pattern')
    if (schema.format === 'uuid') expect(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(value), 'no UUID')
    if (schema.format === 'date-time') expect(!Number.isNaN(Date.parse(value)), 'no time')
  }
  if (typeof value === 'number') {
    if (typeof schema.minimum === 'number') expect(value >= schema.minimum, 'too small')
    if (typeof schema.maximum === 'number') expect(value <= schema.maximum, 'too big')
  }
  if (Array.isArray(value)) {
    if (typeof schema.minItems === 'number') expect(value.length >= schema.minItems, 'too few')
    if (typeof schema.maxItems === 'number') expect(value.length <= schema.maxItems, 'too many')
    if (schema.items !== undefined) {
      for (const [i, item] of value.entries())
        wrong.push(...misfits(schema.items as Schema, item, root, `${path}[${i}]`))
    }
  } else if (typeof value === 'object' && value !== null) {
    const properties = (schema.properties ?? {}) as Readonly<Record<string, Schema>>
    for (const name of (schema.required ?? []) as string[]) expect(name in value, `${name} is missing`)
    for (const [name, member] of Object.entries(value)) {
      const own = properties[name]
      if (own !== undefined) wrong.push(...misfits(own, member, root, `${path}.${name}`))
      else expect(schema.additionalProperties !== false, `${name} is not described`)
    }
  }
  return wrong
}

/** What a reference within the document means; fails where it means nothing. */
export function resolve(reference: string, root: Schema): Schema {
  assert.match(reference, /^#\//)
  const steps = reference.slice(2).split('/')
  const found = steps.reduce((place: unknown, step) => Object(place)[step], root)
  assert.ok(typeof found === 'object' && found !== null, `${reference} is not there`)
  return found as Schema
}
