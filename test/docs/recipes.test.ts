import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { CREDENTIAL_METHODS } from '../../src/auth/methods/methods.ts'
import { PACKAGE, temporaryDirectory } from '../cli/run.ts'
import { codeIn, pageOf, rowsOf, sectionOf } from './pages.ts'

/** What one recipe changes in the copy: a new file, or a text that is put behind a line that exists. */
type Edit =
  | { readonly file: string; readonly content: string }
  | { readonly file: string; readonly after: string; readonly insert: string }

const PAGE = pageOf('CONTRIBUTING.md')
const SYSTEM_ID = '0ac3e0ac-3e0a-4c3e-8ac3-e0ac3e0ac3e0'

const RECIPES: Readonly<Record<string, readonly Edit[]>> = {
  'Add a DRM system': [
    {
      file: 'src/formats/drm/systems/acme.ts',
      content: `import { concat } from '../../../core/template.ts'
import type { SignalInput, Signaling } from '../system.ts'

/** The signalling of a made-up DRM system. */
export function signalAcme({ kid }: SignalInput): Signaling {
  return { contentProtectionData: concat(\`<acme xmlns="urn:acme">\${kid}</acme>\`) }
}
`,
    },
    {
      file: 'src/formats/drm/facts.ts',
      after: "import type { DrmSystem, DrmSystemFacts, Slot } from './system.ts'\n",
      insert: "import { signalAcme } from './systems/acme.ts'\n",
    },
    {
      file: 'src/formats/drm/facts.ts',
      after: 'const SIGNALLED: readonly DrmSystem[] = [\n',
      insert: `  {
    name: 'Acme',
    systemId: systemIdOf('${SYSTEM_ID}'),
    option: 'acme',
    commonEncryptionSchemes: CENC_AND_CBCS,
    contentKeyClass: 'drm',
    spekeMajors: [1, 2],
    fills: { 1: [], 2: ['ContentProtectionData'] },
    signal: signalAcme,
  },
`,
    },
  ],
  'Add a lint rule': [
    {
      file: 'src/toolkit/rules/groups/document.ts',
      after: 'export const DOCUMENT_RULES: readonly Rule[] = [\n',
      insert: `  {
    id: 'acme-content-id',
    group: 'document',
    subject: 'request',
    severity: 'note',
    clause: 'Acme, 1',
    title: 'The contentId does not start with acme',
    why: 'A test.',
    fix: 'Choose another contentId.',
    *check({ request }) {
      if (attributeOf(request.root, 'contentId')?.startsWith('acme')) yield { what: 'the contentId starts with acme' }
    },
  },
`,
    },
  ],
  'Add a setting': [
    {
      file: 'src/server/config/settings.ts',
      after: 'export const SECTIONS = {\n',
      insert: "  acme: setting(oneOf(['small', 'large']).default('small'), 'A setting of this test.', 'value'),\n",
    },
    {
      file: 'src/server/config/config.ts',
      after: "    logLevel: section('logLevel'),\n",
      insert: "    acme: section('acme'),\n",
    },
  ],
  'Add a route': [
    {
      file: 'src/http/routes/acme.ts',
      content: `import { textReply } from '../errors.ts'
import type { Route } from '../route.ts'

/** A made-up route. */
export const acme: Route = { name: 'acme', path: '/acme', method: 'GET', handle: () => textReply(200, 'acme') }
`,
    },
    { file: 'src/http/route.ts', after: 'export type RouteName =\n', insert: "  | 'acme'\n" },
    {
      file: 'src/http/routes/routes.ts',
      after: "import { heartbeat, livez, readyz } from './health.ts'\n",
      insert: "import { acme } from './acme.ts'\n",
    },
    { file: 'src/http/routes/routes.ts', after: '  return [\n', insert: '    acme,\n' },
  ],
  'Add an API operation with its command': [
    {
      file: 'src/operations/acme.ts',
      content: `/** How many contents this test counts. */
export const countAcme = (): number => 42
`,
    },
    {
      file: 'src/http/api/operations/acme.ts',
      content: `import { z } from 'zod'
import { countAcme } from '../../../operations/acme.ts'
import { operation } from '../operation.ts'

export const show = operation({
  id: 'showAcme',
  method: 'get',
  path: '/api/acme',
  tag: 'contents',
  summary: 'A number',
  description: 'For a test.',
  scope: 'keys:read',
  answer: z.strictObject({ count: z.int() }).meta({ id: 'Acme' }),
  example: { count: 42 },
  refusals: [],
  handle: async () => ({ count: countAcme() }),
})
`,
    },
    {
      file: 'src/http/api/operations/operations.ts',
      after: "import type { Operation } from '../operation.ts'\n",
      insert: "import * as acme from './acme.ts'\n",
    },
    {
      file: 'src/http/api/operations/operations.ts',
      after: 'export const OPERATIONS: readonly Operation[] = [\n',
      insert: '  acme.show,\n',
    },
    {
      file: 'src/cli/commands/acme.ts',
      content: `import type { Command } from 'commander'
import { countAcme } from '../../operations/acme.ts'
import type { World } from '../shared/world.ts'

/** Defines \`keyspring acme\`. */
export function defineAcme(acme: Command, world: World): void {
  acme.action(() => world.stdout.write(\`\${countAcme()}\\n\`))
}
`,
    },
    {
      file: 'src/cli/main.ts',
      after:
        'const COMMANDS: Readonly<Record<string, readonly [description: string, load: () => Promise<Define>]>> = {\n',
      insert: "  acme: ['print a number', async () => (await import('./commands/acme.ts')).defineAcme],\n",
    },
  ],
}

const copy = join(temporaryDirectory(), 'copy')
let url = ''
let server: ReturnType<typeof spawn>

/** Runs a program of the copy to its end. */
function inCopy(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const env = { PATH: process.env.PATH, ...environment }
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: copy, env, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr }),
    )
  })
}

const keyspring = (...args: readonly string[]) => inCopy(['bin/keyspring.js', ...args])

for (const name of ['src', 'bin', 'scripts', 'types', 'docs', 'package.json', 'tsconfig.json'])
  cpSync(join(PACKAGE, name), join(copy, name), { recursive: true })
symlinkSync(join(PACKAGE, 'node_modules'), join(copy, 'node_modules'))
for (const edit of Object.values(RECIPES).flat()) {
  const file = join(copy, edit.file)
  if ('content' in edit) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, edit.content)
    continue
  }
  const text = readFileSync(file, 'utf8')
  assert.ok(
    text.includes(edit.after),
    `${edit.file} has no line "${edit.after.trim()}": correct this test and the recipe`,
  )
  writeFileSync(
    file,
    text.replace(edit.after, () => `${edit.after}${edit.insert}`),
  )
}
server = spawn(process.execPath, ['bin/keyspring.js', 'serve', '--port', '0'], {
  cwd: copy,
  env: { PATH: process.env.PATH, KEYSPRING_STORE: 'memory' },
})
let output = ''
url = await new Promise((resolve, reject) => {
  server.stderr?.on('data', (chunk) => {
    output += chunk
    const found = /listens on (http:\S+?),/.exec(output)?.[1]
    if (found !== undefined) resolve(found)
  })
  server.once('exit', () => reject(new Error(`the copy does not start: ${output}`)))
})

after(async () => {
  if (server === undefined || server.exitCode !== null) return
  const ended = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  await ended
})

describe('recipes of CONTRIBUTING.md', () => {
  const titles = [...PAGE.text.matchAll(/^### (Add .*)$/gm)].map(([, title = '']) => title)

  for (const title of titles) {
    test(`${title}: names files that exist`, () => {
      const rows = rowsOf(sectionOf(PAGE, title))
      assert.ok(rows.length >= 3)
      for (const [cell, what = ''] of rows) {
        const path = codeIn(cell) ?? assert.fail(`${cell} is not a path`)
        assert.ok(existsSync(join(PACKAGE, path)), path)
        assert.ok(what.length > 5, path)
      }
    })
  }

  for (const [title, edits] of Object.entries(RECIPES)) {
    test(`${title}: names every file that this test changes`, () => {
      const paths = rowsOf(sectionOf(PAGE, title)).map(([cell]) => codeIn(cell) ?? '')
      for (const { file } of edits)
        assert.ok(
          paths.some((path) => (path.endsWith('/') ? file.startsWith(path) : file === path)),
          `${file} is in no row of "${title}"`,
        )
    })
  }
})

describe('a copy with every recipe followed', () => {
  test('has no type error', async () => {
    const config = JSON.parse(readFileSync(join(copy, 'tsconfig.json'), 'utf8'))
    writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify({ ...config, include: ['src'] }))
    const { code, stdout } = await inCopy(['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json'])
    assert.equal(code, 0, stdout)
  })

  test('answers for the new DRM system, and names it', async () => {
    const out = join(copy, 'answer.xml')
    const { code, stderr } = await keyspring(
      ...['request', `${url}/copyProtection`, '--drm', 'acme', '--format', 'cpix', '--out', out],
    )
    assert.equal(code, 0, stderr)
    const answer = readFileSync(out, 'utf8')
    const [, data = ''] = /<(?:\w+:)?ContentProtectionData>([^<]+)</.exec(answer) ?? []
    assert.match(Buffer.from(data, 'base64').toString(), /^<acme xmlns="urn:acme">[\da-f-]{36}<\/acme>$/)
    assert.match((await keyspring('inspect', out)).stdout, /Acme/)
  })

  test('applies the new lint rule, and has its page', async () => {
    const file = join(copy, 'request.xml')
    const sample = readFileSync(join(copy, 'docs/examples/widevine-playready-cenc.xml'), 'utf8')
    writeFileSync(file, sample.replace('contentId="sample-film"', 'contentId="acme-film"'))
    assert.match((await keyspring('lint', file)).stdout, /\[acme-content-id\]/)
    assert.equal((await inCopy(['scripts/rule-pages.ts'])).code, 0)
    assert.match(readFileSync(join(copy, 'docs/rules/acme-content-id.md'), 'utf8'), /Choose another contentId/)
  })

  test('takes the new setting from the environment, and documents it', async () => {
    const check = (value: string) => inCopy(['bin/keyspring.js', 'config', 'check'], { KEYSPRING_ACME: value })
    assert.equal((await check('large')).code, 0)
    const { code, stderr } = await check('huge')
    assert.equal(code, 2)
    assert.match(stderr, /KEYSPRING_ACME|acme/)
    assert.equal((await inCopy(['scripts/settings-page.ts'])).code, 0)
    assert.match(readFileSync(join(copy, 'docs/config.md'), 'utf8'), /^\| `acme` \| `KEYSPRING_ACME` \|/m)
  })

  test('serves the new route', async () => {
    const response = await fetch(`${url}/acme`)
    assert.deepEqual([response.status, await response.text()], [200, 'acme'])
  })

  test('has the new operation in the API and on the command line', async () => {
    const token = readFileSync(join(copy, 'data/management.token'), 'utf8').trim()
    const headers = { authorization: `Bearer ${token}` }
    assert.deepEqual(await (await fetch(`${url}/api/acme`, { headers })).json(), { count: 42 })
    const description = (await (await fetch(`${url}/openapi.json`)).json()) as { readonly paths: object }
    assert.ok('/api/acme' in description.paths)
    assert.equal((await keyspring('acme')).stdout, '42\n')
    assert.match((await keyspring('completions', 'bash')).stdout, /\bacme\b/)
  })
})

/** The names of the members of a table of a source file: `const NAME … = {` to the brace that closes it. */
function membersOf(file: string, name: string): readonly string[] {
  const text = readFileSync(join(PACKAGE, file), 'utf8')
  const start = text.search(new RegExp(`^const ${name}\\b`, 'm'))
  assert.ok(start >= 0, `${file} has no table ${name}: correct this test and the recipe`)
  const [table = ''] = text.slice(start).split(/^ {0,2}\}$/m)
  const indents = [...table.matchAll(/^( +)(?:async )?'?([\w-]+)'?(?:\(|: )/gm)]
  const least = Math.min(...indents.map(([, indent = '']) => indent.length))
  return indents.filter(([, indent = '']) => indent.length === least).map(([, , member = '']) => member)
}

describe('tables that recipes name', () => {
  const foldersIn = (path: string): readonly string[] =>
    readdirSync(join(PACKAGE, path), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)

  test('STORES of open-store.ts has a line for each store in src/adapters/store/', () => {
    const stores = foldersIn('src/adapters/store').filter((name) => name !== 'backup')
    assert.deepEqual(membersOf('src/server/assemble/open-store.ts', 'STORES').toSorted(), stores.toSorted())
  })

  test('ROOT_KEYS of open-store.ts has a line for each root key in src/adapters/root-keys/', () => {
    const kinds = membersOf('src/server/assemble/open-store.ts', 'ROOT_KEYS')
    assert.ok(kinds.length >= 3)
    for (const kind of kinds) {
      assert.ok(existsSync(join(PACKAGE, `src/adapters/root-keys/${kind}.ts`)), kind)
      assert.ok(existsSync(join(PACKAGE, `test/adapters/root-keys/${kind}.test.ts`)), kind)
    }
  })

  test('AUTH_METHODS of methods.ts has a line for each method with credentials', () => {
    const credentials = readFileSync(join(PACKAGE, 'src/auth/credentials/credential.ts'), 'utf8')
    const methods = [...credentials.matchAll(/readonly method: '(\w+)'/g)].map(([, method]) => method)
    assert.deepEqual([...CREDENTIAL_METHODS].sort(), methods.sort())
  })
})
