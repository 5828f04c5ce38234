import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { PACKAGE, temporaryDirectory } from './run.ts'

const directory = temporaryDirectory()

test('npm pack builds the package from a clone, and the packed command runs', () => {
  const clone = join(directory, 'clone')
  mkdirSync(clone)
  for (const name of ['bin', 'src', 'types', 'man', 'package.json', 'tsconfig.json', 'tsconfig.build.json', '.npmrc'])
    cpSync(join(PACKAGE, name), join(clone, name), { recursive: true })
  symlinkSync(join(PACKAGE, 'node_modules'), join(clone, 'node_modules'))
  // Of an earlier version.
  mkdirSync(join(clone, 'dist'))
  writeFileSync(join(clone, 'dist/stale.js'), '')

  const env = { ...process.env, PATH: `${join(PACKAGE, 'node_modules/.bin')}:${process.env.PATH}` }
  const tarball = execFileSync('npm', ['pack', '--silent', '--pack-destination', directory], {
    cwd: clone,
    encoding: 'utf8',
    env,
  })
  const installed = join(directory, 'node_modules/keyspring')
  mkdirSync(installed, { recursive: true })
  assert.match(tarball, /^keyspring-[\d.]+\.tgz\n$/, 'guides install the file that this prints')
  execFileSync('tar', ['-xzf', join(directory, tarball.trim()), '-C', installed, '--strip-components=1'])
  assert.equal(existsSync(join(installed, 'dist/stale.js')), false)
  assert.equal(existsSync(join(installed, 'src')), false)
  for (const name of ['commander', 'picocolors'])
    symlinkSync(join(PACKAGE, 'node_modules', name), join(directory, 'node_modules', name))
  const help = execFileSync(process.execPath, [join(installed, 'bin/keyspring.js'), '--help'], { encoding: 'utf8' })
  assert.match(help, /^Usage: keyspring/)
})
