import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { disagreements } from './release/agreement.ts'
import { buildImageTree, runImageTree } from './release/image.ts'
import { auditDependencies, installAndRun, packAndJudge, writeBillOfMaterials } from './release/package.ts'

// npm run release:check [-- --tag v1.2.3] [--keep DIRECTORY]: everything a release does but publishing. See deploy/release.md.

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({ options: { tag: { type: 'string' }, keep: { type: 'string' } } })
const { name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, string>

const directory = values.keep ?? mkdtempSync(join(tmpdir(), 'keyspring-release-'))
mkdirSync(directory, { recursive: true })
// Those who start the server without rights must be able to get there.
chmodSync(directory, 0o755)

try {
  await step('versions agree', () => {
    const problems = disagreements(ROOT, values.tag)
    if (problems.length > 0) throw new Error(problems.join('\n'))
    return values.tag ?? version ?? ''
  })
  const image = await step('the steps of the Containerfile', () => {
    const one = buildImageTree(ROOT, join(directory, 'image'))
    return Object.assign(one, { toString: () => `${one.file.stages.length} stages` })
  })
  const built = join(directory, 'image/stage-0/app')
  const packed = await step('the package, publint, attw', () => {
    // What the image is made of is what is published.
    const source = sourceOfPackage(join(built, 'dist'))
    const one = packAndJudge(source, directory, join(ROOT, 'node_modules/.bin'))
    return Object.assign(one, { toString: () => `${one.files.length} files, ${kilobytes(one.size)} packed` })
  })
  await step('installed from its tarball, it serves', () => installAndRun(packed.tarball, version ?? '', directory))
  const bill = join(directory, `${name}-${version}.cdx.json`)
  await step(
    'the bill of materials',
    () => `${writeBillOfMaterials(ROOT, join(built, 'node_modules'), directory, bill)} components`,
  )
  await step('npm audit of the runtime dependencies', () => auditDependencies(ROOT))
  await step('the image serves from a tree that cannot be written', async () => {
    return `as ${await runImageTree(image.root, image.file)}`
  })

  console.log(`\nA release of ${name} ${version} would publish:`)
  console.log(
    `  npm    ${name}@${version}, ${packed.files.length} files, ${kilobytes(packed.unpackedSize)}, with provenance`,
  )
  console.log(`  image  ${name}:${version} on ${image.file.stages.at(-1)?.base}, user ${image.file.user}`)
  console.log(`  beside ${name}-${version}.cdx.json`)
  if (values.keep !== undefined) console.log(`kept in ${directory}`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  if (values.keep === undefined) remove(directory)
}

async function step<T>(title: string, work: () => Promise<T> | T): Promise<T> {
  const startedAt = performance.now()
  const result = await work()
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  console.log(`ok  ${title}${result === undefined ? '' : `: ${result}`} (${seconds} s)`)
  return result
}

/** The tree that is packed: what the repository has of it, and what was built. */
function sourceOfPackage(dist: string): string {
  const source = join(directory, 'source')
  mkdirSync(source)
  for (const entry of ['bin', 'docs', 'man', 'package.json', 'README.md', 'CHANGELOG.md', 'SECURITY.md', 'LICENSE']) {
    cpSync(join(ROOT, entry), join(source, entry), { recursive: true })
  }
  cpSync(dist, join(source, 'dist'), { recursive: true })
  return source
}

/** Removes a tree of which the image took the right to write. */
function remove(path: string): void {
  const unlock = (one: string): void => {
    chmodSync(one, 0o755)
    for (const entry of readdirSync(one, { withFileTypes: true }))
      if (entry.isDirectory()) unlock(join(one, entry.name))
  }
  unlock(path)
  rmSync(path, { recursive: true, force: true })
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1024)} KB`
}
