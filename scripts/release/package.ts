import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, serveOnce } from './commands.ts'

export interface PackedRelease {
  readonly tarball: string
  readonly files: readonly { readonly path: string; readonly size: number }[]
  readonly unpackedSize: number
  readonly size: number
}

/** Packs the built tree at `source` and judges the package as its users' tools would. */
export function packAndJudge(source: string, into: string, tools: string): PackedRelease {
  const [packed] = JSON.parse(
    run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', into], source),
  ) as (Omit<PackedRelease, 'tarball'> & { readonly filename: string })[]
  if (packed === undefined) throw new Error('npm pack told of no package')
  const unwanted = packed.files.filter(({ path }) => !WANTED.test(path))
  if (unwanted.length > 0) throw new Error(`the package holds ${unwanted.map(({ path }) => path).join(', ')}`)
  const tarball = join(into, packed.filename)
  const env = { ...process.env, PATH: `${tools}:${process.env.PATH}`, NO_COLOR: '1' }
  run(join(tools, 'publint'), ['run', tarball, '--strict'], into, env)
  run(join(tools, 'attw'), [tarball, '--profile', 'esm-only', '--format', 'json'], into, env)
  return { ...packed, tarball }
}

interface Published {
  readonly name: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies?: unknown
}

/** What may be in the package. */
const WANTED = /^(?:bin|dist|docs|man)\/|^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)$/

/** Installs the tarball into an empty project, as a user does, and runs it from there. */
export async function installAndRun(tarball: string, version: string, into: string): Promise<void> {
  const project = join(into, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n')
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball], project)
  const installed = join(project, 'node_modules/keyspring')
  const bin = join(installed, 'bin/keyspring.js')
  const said = run(process.execPath, [bin, '--version'], project).trim()
  if (said !== version) throw new Error(`keyspring --version said ${said}, not ${version}`)
  await serveOnce(
    { program: process.execPath, args: [bin, 'serve', '--port', '0'], cwd: project, environment: {} },
    join(installed, 'docs/examples/widevine-playready-cenc.xml'),
  )
}

/**
 * Writes the bill of materials of the package with the dependencies that were installed for its use, and says how many components
 * it names. Throws when a dependency is not in it.
 */
export function writeBillOfMaterials(source: string, modules: string, into: string, file: string): number {
  const { devDependencies: _, ...published } = JSON.parse(
    readFileSync(join(source, 'package.json'), 'utf8'),
  ) as Published
  // npm omits what is needed for use and for development alike, so what is for development alone must not be there at all.
  // Its name is that of the directory.
  const tree = join(into, 'bill', published.name)
  mkdirSync(tree, { recursive: true })
  writeFileSync(join(tree, 'package.json'), JSON.stringify(published))
  cpSync(modules, join(tree, 'node_modules'), { recursive: true, verbatimSymlinks: true })
  const text = run('npm', ['sbom', '--sbom-format', 'cyclonedx'], tree)
  const { components } = JSON.parse(text) as { components: readonly { readonly name: string; version: string }[] }
  const { dependencies } = published
  for (const [name, version] of Object.entries(dependencies)) {
    const [group, bare] = name.startsWith('@') ? name.split('/') : [undefined, name]
    const isThere = components.some(
      (one) => one.version === version && (one.name === name || (group !== undefined && one.name === bare)),
    )
    if (!isThere) throw new Error(`the bill of materials lacks ${name} ${version}`)
  }
  writeFileSync(file, text)
  return components.length
}

/**
 * Asks the registry for known vulnerabilities of the runtime dependencies. Throws for one of high or critical severity.
 * Returns what to print: some registries, such as mirrors, do not answer this question.
 */
export function auditDependencies(source: string): string {
  const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
    cwd: source,
    encoding: 'utf8',
    timeout: 60_000,
  })
  const counts = readCounts(stdout)
  if (counts === undefined) return 'not answered by this registry: run npm audit where it is'
  const { high = 0, critical = 0, total = 0 } = counts
  if (high + critical > 0)
    throw new Error(`npm audit: ${high} high and ${critical} critical vulnerabilities; run npm audit`)
  return `${total} known vulnerabilities, none high or critical`
}

function readCounts(json: string): Readonly<Record<string, number>> | undefined {
  try {
    return (JSON.parse(json) as { metadata?: { vulnerabilities?: Record<string, number> } }).metadata?.vulnerabilities
  } catch {
    return undefined
  }
}
