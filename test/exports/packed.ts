import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { PACKAGE } from '../cli/run.ts'

/** The package as npm would publish it. */
export interface Packed {
  readonly tarball: string
  /** A directory whose node_modules has the package from its tarball, and what it depends on. */
  readonly consumer: string
  /** The package in there. */
  readonly installed: string
}

/** Builds the package beside the source, packs and unpacks it. Nothing in the repository is touched. */
export function packPackage(): Packed {
  const directory = mkdtempSync(join(tmpdir(), 'keyspring-packed-'))
  after(() => rmSync(directory, { recursive: true, force: true }))
  const source = join(directory, 'source')
  mkdirSync(source)
  for (const name of ['bin', 'docs', 'man', 'package.json', 'README.md', 'CHANGELOG.md', 'SECURITY.md', 'LICENSE']) {
    if (readdirSync(PACKAGE).includes(name)) cpSync(join(PACKAGE, name), join(source, name), { recursive: true })
  }
  runTool('tsc', ['-p', 'tsconfig.build.json', '--outDir', join(source, 'dist')], PACKAGE)
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory]
  const [packed] = JSON.parse(
    execFileSync('npm', pack, { cwd: source, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  )
  const tarball = join(directory, packed.filename)

  const consumer = join(directory, 'consumer')
  const modules = join(consumer, 'node_modules')
  const installed = join(modules, 'keyspring')
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'])
  for (const name of readdirSync(join(PACKAGE, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(PACKAGE, 'node_modules', name), join(modules, name))
  }
  return { tarball, consumer, installed }
}

/** Runs a tool of the development dependencies; what it printed. Throws with it when the tool fails. */
export function runTool(name: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(join(PACKAGE, 'node_modules/.bin', name), args, {
      cwd,
      encoding: 'utf8',
      env: { ...process.env, PATH: `${join(PACKAGE, 'node_modules/.bin')}:${process.env.PATH}`, NO_COLOR: '1' },
    })
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }
    throw new Error(`${name} failed:\n${stdout}${stderr}`, { cause })
  }
}
