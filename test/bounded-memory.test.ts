import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseSync } from 'oxc-parser'
import { sourceFiles } from './source-files.ts'

/**
 * Maps and sets of src/ that grow while the process runs, with what bounds each. Anything else that is kept is a BoundedCache or a
 * WriteQueue, whose bounds are their own.
 */
const BOUNDED: Readonly<Record<string, string>> = {
  'adapters/store/memory/contents.ts contents': 'the memory store holds what is stored; it is for tests and trials',
  'adapters/store/memory/ledger.ts contents': 'the memory store',
  'adapters/store/memory/records.ts writes': 'the memory store',
  'adapters/store/memory/records.ts heads': 'the memory store',
  'adapters/store/memory/records.ts clients': 'the memory store',
  'adapters/store/memory/secrets.ts dataKeys': 'the memory store',
  'adapters/store/memory/secrets.ts removed': 'the memory store',
  'auth/methods/basic.ts #underWay': 'password checks under way: PasswordChecks rejects more than maxWaiting',
  'auth/methods/digest-nonces.ts #used': 'maxFollowed nonces',
  'auth/methods/password-checks.ts #lanes': 'maxWaiting checks',
  'auth/rate-limit.ts #buckets': 'maxBuckets names of at most 64 characters',
  'core/bounded-cache.ts #young': 'maxBytes',
  'core/write-queue.ts #waiting': 'maxItems',
  'core/write-queue.ts #batch': 'maxItems',
  'http/listener/connections.ts #accepted': 'limits.connections',
  'http/listener/connections.ts #open': 'limits.connections',
  'http/listener/private-listener.ts knownHosts': '64 names of at most 64 characters',
  'http/router.ts #exact': 'the routes of this build',
  'keys/content/cache.ts #loading': 'requests under way',
  'keys/content/create.ts #creating': 'requests under way',
  'keys/content/revival.ts #reviving': 'requests under way',
  'keys/crypto/data-keys.ts #creating': 'requests under way',
  'keys/crypto/data-keys.ts #reading': 'requests under way',
  'keys/crypto/data-keys.ts #known': 'tenants that have stored contents',
  'operations/audit/issues.ts #counted': 'MAX_COUNTED',
  'operations/audit/verify-file.ts macKeys': 'one verification',
  'operations/contents/kids.ts found': 'one lookup',
  'operations/events/deliver.ts running': 'maxQueued',
  'operations/events/deliver.ts sleeping': 'maxQueued',
  'operations/events/deliver.ts leaving': 'maxQueued',
  'operations/events/emit.ts windows': 'MAX_KINDS',
  'operations/events/emit.ts suppressed': 'kinds that have a window',
  'operations/import/draft.ts #placeOfKey': 'MAX_IMPORTED_KEYS; one import',
  'operations/resolve/encryption.ts periods': 'one document',
  'operations/rotation/missed.ts contents': 'maxContents',
  'protocols/playback/callback-access.ts asking': 'requests under way',
  'server/assemble/auth-methods.ts #made': 'the configured methods',
  'server/assemble/function.ts made': 'MAX_ADDRESSES',
  'server/config/secret-references.ts openedBy': 'the secret services of this build',
  'server/config/signalling.ts systems': 'one reading of the configuration',
  'server/observe/emf-sink.ts series': 'the label sets of this build; emptied with each request',
  'server/observe/prometheus-sink.ts readers': 'the metrics of this build',
  'server/observe/prometheus-sink.ts children': 'the label sets of this build',
  'toolkit/conformance/run.ts connections': 'one run of verify',
  'toolkit/encryptor/substitute.ts files': 'one run of request',
  'toolkit/rules/groups/request.ts seen': 'one document',
  'toolkit/rules/groups/signaling.ts seen': 'one document',
}

interface Node {
  readonly type?: string
  readonly [member: string]: unknown
}

/** Callbacks that end with the call they are passed to: what they add to is local. */
const ENDS_WITH_CALL = new Set(
  'map flatMap filter find findIndex some every forEach reduce replaceAll sort toSorted from'.split(' '),
)

/** The maps and sets that a file adds to in another function than the one that made them, or in a method. */
function growing(program: unknown): readonly string[] {
  const made = new Map<string, unknown>()
  const grown = new Set<string>()
  visit(program, undefined, (node, owner) => {
    const { init, id, value, key } = node as { init?: Node; id?: Node; value?: Node; key?: Node }
    if (node.type === 'VariableDeclarator' && isNewCollection(init)) made.set(String(id?.name), owner)
    if (node.type === 'PropertyDefinition' && isNewCollection(value)) made.set(nameOf(key), undefined)
  })
  visit(program, undefined, (node, owner) => {
    if (node.type !== 'CallExpression') return
    const { object, property } = (node.callee ?? {}) as { object?: Node; property?: Node }
    if (property?.name !== 'set' && property?.name !== 'add') return
    const isField = object?.type === 'MemberExpression' && (object.object as Node).type === 'ThisExpression'
    const name = isField ? nameOf(object.property as Node) : String(object?.name)
    if (made.has(name) && (isField || made.get(name) !== owner)) grown.add(name)
  })
  return [...grown]
}

function nameOf(key: Node | undefined): string {
  return `${key?.type === 'PrivateIdentifier' ? '#' : ''}${String(key?.name)}`
}

function isNewCollection(node: Node | undefined): boolean {
  const callee = node?.callee as Node | undefined
  return node?.type === 'NewExpression' && (callee?.name === 'Map' || callee?.name === 'Set')
}

/** Every node with the function it belongs to. */
function visit(node: unknown, owner: unknown, each: (node: Node, owner: unknown) => void): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const one of node) visit(one, owner, each)
    return
  }
  const known = node as Node
  each(known, owner)
  const callee = known.callee as { property?: Node } | undefined
  const isCallback = known.type === 'CallExpression' && ENDS_WITH_CALL.has(String(callee?.property?.name))
  for (const [member, value] of Object.entries(known)) {
    if (isCallback && member === 'arguments' && Array.isArray(value)) {
      for (const argument of value) visitBody(argument, owner, each)
    } else {
      visit(value, /Function/.test(known.type ?? '') ? known : owner, each)
    }
  }
}

/** A callback whose body counts as part of the function around it. */
function visitBody(argument: unknown, owner: unknown, each: (node: Node, owner: unknown) => void): void {
  const { type = '', body } = argument as Node
  if (/Function/.test(type)) visit(body, owner, each)
  else visit(argument, owner, each)
}

const files = sourceFiles().filter(({ path }) => !path.startsWith('cli/') && !path.startsWith('demo/'))
const found = files.flatMap(({ path, program }) => growing(program).map((name) => `${path} ${name}`))

test('every map and set that grows with the process has a bound', () => {
  const unknown = found.filter((name) => !Object.hasOwn(BOUNDED, name))
  assert.deepEqual(unknown, [], 'use BoundedCache, or add the collection here with what bounds it')
})

test('the list of bounds has no entry for what does not exist', () => {
  assert.deepEqual(
    Object.keys(BOUNDED).filter((name) => !found.includes(name)),
    [],
  )
})

test('docs/architecture.md lists every cache and queue', () => {
  const page = readFileSync(new URL('../docs/architecture.md', import.meta.url), 'utf8')
  const made = files.filter(({ text }) => /new (?:BoundedCache|WriteQueue)\b/.test(text)).map(({ path }) => path)
  assert.ok(made.length > 10)
  assert.deepEqual(
    made.filter((path) => !page.includes(`\`${path}\``)),
    [],
  )
})

test('finds a map of a module, of a closure and of a class, and no local one', () => {
  const parsed = (text: string): readonly string[] => growing(parseSync('a.ts', text).program)
  assert.deepEqual(parsed('const a = new Map(); export function f(x) { a.set(x, 1) }'), ['a'])
  assert.deepEqual(parsed('export function make() { const a = new Set(); return { add(x) { a.add(x) } } }'), ['a'])
  assert.deepEqual(parsed('export class C { #a = new Map(); f(x) { this.#a.set(x, 1) } }'), ['#a'])
  assert.deepEqual(
    parsed('export function f(xs) { const a = new Map(); xs.forEach((x) => a.set(x, 1)); return a }'),
    [],
  )
  assert.deepEqual(parsed('const a = new Map([[1, 2]]); export const f = (x) => a.get(x)'), [])
})
