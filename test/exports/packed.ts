import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
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

/** What `npm pack` reads in a clone. */
const CLONE = ['bin', 'docs', 'man', 'src', 'types', 'package.json', 'tsconfig.json', 'tsconfig.build.json', '.npmrc']
const PAGES = ['README.md', 'CHANGELOG.md', 'SECURITY.md', 'LICENSE']

/** Packs a copy of the repository as the guides say, which builds it, and unpacks it. Nothing in the repository is touched. */
export function packPackage(): Packed {
  const directory = mkdtempSync(join(tmpdir(), 'keyspring-packed-'))
  after(() => rmSync(directory, { recursive: true, force: true }))
  const source = join(directory, 'source')
  mkdirSync(join(source, 'dist'), { recursive: true })
  for (const name of [...CLONE, ...PAGES])
    if (readdirSync(PACKAGE).includes(name)) cpSync(join(PACKAGE, name), join(source, name), { recursive: true })
  symlinkSync(join(PACKAGE, 'node_modules'), join(source, 'node_modules'))
  // From a build of an earlier version.
  writeFileSync(join(source, 'dist/stale.js'), '')
  const printed = execFileSync('npm', ['pack', '--silent', '--pack-destination', directory], {
    cwd: source,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${join(PACKAGE, 'node_modules/.bin')}:${process.env.PATH}` },
  })
  assert.match(printed, /^keyspring-[\d.]+\.tgz\n$/, 'the guides install the file that this prints')
  const tarball = join(directory, printed.trim())

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
