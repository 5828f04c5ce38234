import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { type SourceFile, sourceFiles } from './source-files.ts'

/** What a room of `src/` may import: the rooms, and the packages. docs/architecture.md explains each. */
const ROOMS: Readonly<Record<string, readonly [rooms: string, packages?: string]>> = {
  cli: ['server adapters operations toolkit protocols auth keys formats core', 'commander picocolors'],
  exports: ['server toolkit protocols formats core'],
  demo: ['formats core'],
  server: [
    'http adapters operations protocols auth keys formats core',
    'zod yaml pino prom-client @aws-sdk/client-secrets-manager @aws-sdk/client-ssm',
  ],
  http: ['operations protocols auth keys formats core', 'zod'],
  adapters: ['operations toolkit auth keys formats core', 'pg @aws-sdk/client-dynamodb @aws-sdk/client-kms'],
  operations: ['toolkit protocols auth keys formats core', 'jose zod'],
  toolkit: ['protocols auth formats core'],
  protocols: ['auth keys formats core'],
  auth: ['keys formats core', 'jose'],
  keys: ['formats core'],
  formats: ['core', 'xml-crypto @xmldom/xmldom'],
  core: [''],
}

/** The sub-folders of a room, or of a folder in it: each may import those after it, and the files beside them. */
const SUB_FOLDERS: Readonly<Record<string, string>> = {
  cli: 'commands doctor shared',
  server: 'lambda assemble observe config delivery',
  http: 'routes api listener',
  operations: 'transfer resolve export import rotation lifetime contents events audit ports answers',
  toolkit: 'conformance rules inspect encryptor',
  protocols: 'transfer licence playback widevine speke',
  auth: 'methods players clients credentials',
  keys: 'maintenance content ledger crypto ports',
  formats: 'drm cpix xml',
}

/** Folders beside each other that must not know each other: each has one purpose or one foreign system. */
const APART = ['adapters', 'adapters/store', 'cli/commands']
const APART_BUT: readonly string[] = ['adapters/store/backup adapters/store/sqlite']

/** Of the protocols these know SPEKE's tables alone, and not how this key provider reads a request. */
const TABLES_ONLY = ['toolkit', 'exports']

/** Rooms that reach the world: no other may import these modules, but for their types. */
const WORLD = ['node:fs', 'node:fs/promises', 'node:http', 'node:sqlite', 'node:worker_threads', 'node:net']
const REACHES_THE_WORLD = ['adapters', 'http', 'server', 'cli', 'toolkit/encryptor', 'demo']
const READS_ENVIRONMENT_AND_CLOCK = ['server', 'cli']

const FILES = sourceFiles()
const roomOf = (path: string): string => path.split('/')[0] ?? ''
const isIn = (path: string, folders: readonly string[]): boolean => folders.some((one) => path.startsWith(`${one}/`))
const words = (text: string | undefined): readonly string[] => (text ?? '').split(' ')

/** Why a file must not import another; undefined: it may. */
function objection(from: string, to: string): string | undefined {
  const [room, other] = [roomOf(from), roomOf(to)]
  if (room !== other) {
    if (!words(ROOMS[room]?.[0]).includes(other))
      return `${room}/ must not import ${other}/: pass what it needs, or move the file to the room it belongs to`
    if (TABLES_ONLY.includes(room) && other === 'protocols' && !to.startsWith('protocols/speke/tables/'))
      return `${room}/ may import only protocols/speke/tables/ of the protocols`
    return undefined
  }
  const [a, b] = firstDifference(from, to)
  if (a === undefined || b === undefined) return undefined
  const parent = a.slice(0, a.lastIndexOf('/'))
  if (APART.includes(parent) && !APART_BUT.includes(`${a} ${b}`))
    return `${a}/ and ${b}/ must not know each other: move what both need up to ${parent}/`
  const order = words(SUB_FOLDERS[parent])
  const [i, j] = [a, b].map((folder) => order.indexOf(folder.slice(parent.length + 1)))
  if (SUB_FOLDERS[parent] === undefined || i === undefined || j === undefined) return undefined
  if (i < 0 || j < 0) return `${a}/ or ${b}/ is missing in SUB_FOLDERS of ${parent}/: add it`
  return i < j ? undefined : `${a}/ must not import ${b}/: move what both need to a lower folder`
}

/** The first folders in which two paths differ; undefined for a path whose file stands there itself. */
function firstDifference(from: string, to: string): readonly [string | undefined, string | undefined] {
  const [a, b] = [from.split('/'), to.split('/')]
  const i = a.findIndex((part, index) => part !== b[index])
  return [
    i < a.length - 1 ? a.slice(0, i + 1).join('/') : undefined,
    i < b.length - 1 ? b.slice(0, i + 1).join('/') : undefined,
  ]
}

for (const { path, imports, text } of FILES) {
  test(`src/${path} imports only what its room may`, () => {
    const room = roomOf(path)
    assert.ok(room in ROOMS, `no room ${room}/ in the table`)
    for (const { target, isFile, isTypeOnly } of imports) {
      if (isFile) assert.equal(objection(path, target), undefined, target)
      else if (!target.startsWith('node:'))
        assert.ok(words(ROOMS[room]?.[1]).includes(target), `${room}/ must not use the package ${target}`)
      else if (WORLD.includes(target) && !isTypeOnly)
        assert.ok(isIn(path, REACHES_THE_WORLD), `must not import ${target}: take what it needs as a parameter`)
    }
    if (!isIn(path, READS_ENVIRONMENT_AND_CLOCK))
      assert.doesNotMatch(text, /process\.env|Date\.now\(\)/, 'take the environment and the clock as parameters')
  })
}

test('the table of rooms and sub-folders names only folders that exist or are planned', () => {
  const PLANNED = ['src/protocols/licence']
  const named = [
    ...Object.keys(ROOMS),
    ...Object.entries(SUB_FOLDERS).flatMap(([room, list]) => words(list).map((one) => `${room}/${one}`)),
  ]
  for (const folder of named.map((name) => `src/${name}`))
    assert.ok(existsSync(folder) || PLANNED.includes(folder), folder)
})

test('no files import each other in a circle', () => {
  const byPath = new Map(FILES.map((file) => [file.path, file]))
  const done = new Set<string>()
  const visit = ({ path, imports }: SourceFile, trail: readonly string[]): void => {
    assert.ok(!trail.includes(path), `a circle: ${[...trail.slice(trail.indexOf(path)), path].join(' → ')}`)
    if (done.has(path)) return
    for (const { target } of imports.filter(({ isFile }) => isFile)) {
      const next = byPath.get(target)
      if (next !== undefined) visit(next, [...trail, path])
    }
    done.add(path)
  }
  for (const file of FILES) visit(file, [])
})

test('no exported type has the name of another', () => {
  const places = new Map<string, string[]>()
  for (const { path, program } of FILES) {
    for (const statement of program.body) {
      if (statement.type !== 'ExportNamedDeclaration' || statement.declaration === null) continue
      const { declaration } = statement
      if (
        declaration.type !== 'TSInterfaceDeclaration' &&
        declaration.type !== 'TSTypeAliasDeclaration' &&
        declaration.type !== 'ClassDeclaration'
      )
        continue
      const name = declaration.id?.name ?? ''
      places.set(name, [...(places.get(name) ?? []), path])
    }
  }
  assert.deepEqual(
    [...places].filter(([, paths]) => paths.length > 1),
    [],
  )
})

test('no room has an index.ts, a barrel', () => {
  assert.deepEqual(
    FILES.filter(({ path }) => path.endsWith('index.ts')),
    [],
  )
})
