import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { test } from 'node:test'

/** Which rooms each room may import, besides itself and the root files of `src/`. docs/architecture.md explains it. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  xml: [],
  cpix: ['xml'],
  drm: ['xml'],
  keys: [],
  auth: ['keys'],
  speke: ['xml', 'cpix', 'drm', 'keys'],
  // The operator's side; of drm and speke what documents are read and filled with.
  manage: ['xml', 'cpix', 'drm', 'keys', 'speke'],
  store: ['keys', 'auth', 'manage'],
  playback: ['keys', 'auth'],
  kms: ['keys'],
  widevine: ['drm', 'keys'],
  http: ['speke', 'widevine', 'playback', 'manage', 'auth', 'keys'],
  // Talks to Keyspring as anybody would, over HTTP.
  demo: [],
  // Of speke only the tables: see below.
  encryptor: ['xml', 'cpix', 'drm', 'speke', 'auth'],
  inspect: ['xml', 'cpix', 'drm'],
  // What the package exports, and nothing else.
  exports: ['xml', 'cpix', 'drm', 'speke', 'rules', 'inspect', 'server', 'lambda'],
  // Of speke only the tables: see below.
  rules: ['xml', 'cpix', 'drm', 'speke'],
  // Of speke only the tables, of xml what escapes and reads: it breaks requests, and writes reports in XML.
  conformance: ['rules', 'encryptor', 'xml', 'speke'],
  server: ['xml', 'cpix', 'drm', 'keys', 'auth', 'speke', 'widevine', 'playback', 'manage', 'store', 'kms', 'http'],
  // Events of AWS Lambda as calls; the server without a listener.
  lambda: ['http', 'server'],
  cli: [
    'xml',
    'cpix',
    'drm',
    'keys',
    'auth',
    'speke',
    'widevine',
    'playback',
    'manage',
    'store',
    'kms',
    'http',
    'server',
    'encryptor',
    'inspect',
    'rules',
    'conformance',
  ],
}

/** The packages each room may import. `node:` modules are free, except those of NODE_ONLY. */
const MAY_USE: Record<string, readonly string[]> = {
  auth: ['jose'],
  manage: ['jose'],
  store: ['pg', '@aws-sdk/client-dynamodb'],
  kms: ['@aws-sdk/client-kms'],
  http: ['hono', '@hono/zod-openapi'],
  server: ['zod', 'yaml', 'pino', 'prom-client', '@aws-sdk/client-secrets-manager', '@aws-sdk/client-ssm'],
  cli: ['commander', 'picocolors'],
}

/** Rooms of the other side: they know the tables of SPEKE, and not how this key provider reads a request. */
const TABLES_ONLY = ['encryptor', 'rules', 'conformance', 'exports']

/** Rooms that reach the world: no other may import these modules. */
const WORLD = ['node:fs', 'node:fs/promises', 'node:http', 'node:sqlite', 'node:worker_threads', 'node:net']
const MAY_REACH_THE_WORLD = ['store', 'kms', 'http', 'server', 'cli', 'encryptor', 'demo']

// A word in quotes is text, not an import.
const IMPORT = /(?:\bfrom |(?<!')\bimport ?\(? ?)'([^'\n]+)'/g

for (const file of readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
  const [room = '', ...rest] = file.split(sep)
  const isRootFile = rest.length === 0
  const source = readFileSync(join('src', file), 'utf8')
  const targets = [...source.matchAll(IMPORT)].map(([, target = '']) => target)
  const typeOnly = new Set([...source.matchAll(/import type [^;'"]*'([^']+)'/g)].map(([, target = '']) => target))

  test(`src/${file} imports only what its room may`, () => {
    const allowed = isRootFile ? [] : [room, ...(MAY_IMPORT[room] ?? assert.fail(`no room ${room} in the map`))]
    for (const target of targets) {
      if (target.startsWith('.')) {
        const [other = '', ...inside] = relative('src', join('src', file, '..', target)).split(sep)
        if (inside.length > 0) assert.ok(allowed.includes(other), `${file} must not import ${other}/`)
        if (TABLES_ONLY.includes(room) && other === 'speke')
          assert.equal(inside[0], 'tables', `${file}: of speke/ only tables/`)
      } else if (!target.startsWith('node:')) {
        assert.ok(!isRootFile && MAY_USE[room]?.includes(target), `${file} must not use the package ${target}`)
      } else if (WORLD.includes(target) && !typeOnly.has(target)) {
        assert.ok(MAY_REACH_THE_WORLD.includes(room), `${file} must not import ${target}`)
      }
    }
  })

  test(`src/${file} reads the environment and the clock only where it may`, () => {
    if (room !== 'server' && room !== 'cli') assert.doesNotMatch(source, /process\.env|Date\.now\(\)/)
  })
}

test('no room has an index.ts, a barrel', () => {
  for (const file of readdirSync('src', { recursive: true, encoding: 'utf8' }))
    assert.ok(!file.endsWith('index.ts'), file)
})
