import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isInContext, readContainerfile } from '../../scripts/release/containerfile.ts'
import { environmentName, SETTINGS } from '../../src/server/config/setting-list.ts'
import { PACKAGE } from '../cli/run.ts'
import { textOf } from './files.ts'
import { CONTAINERFILE, nodeMajor } from './package.ts'

const IGNORE = textOf('.containerignore')
const variables = new Set(SETTINGS.flatMap(({ path }) => [environmentName(path), `${environmentName(path)}_FILE`]))
variables.add('KEYSPRING_CONFIG')

describe('the Containerfile', () => {
  const { stages, environment, user, volumes, expose, entrypoint, command, healthcheck } = CONTAINERFILE
  const image = stages.at(-1)

  for (const { name = 'the image', steps } of stages) {
    for (const step of steps) {
      if (step.kind !== 'copy') continue
      for (const source of step.sources) {
        test(`${name}: ${source} is there to be copied`, () => {
          if (step.from === undefined) {
            assert.ok(existsSync(join(PACKAGE, source)), source)
            assert.ok(isInContext(IGNORE, source), `${source} is ignored`)
          } else assert.ok(stages.some((stage) => stage.name === step.from && source.startsWith(`${stage.workdir}/`)))
        })
      }
    }
  }

  test('ends in an image without a shell, of the Node.js that the package needs', () => {
    assert.match(image?.base ?? '', new RegExp(`^gcr\\.io/distroless/nodejs${nodeMajor()}-debian\\d+:nonroot$`))
    assert.match(stages[0]?.base ?? '', new RegExp(`/node:${nodeMajor()}-`))
    assert.deepEqual(
      image?.steps.filter(({ kind }) => kind === 'run'),
      [],
    )
  })

  test('runs as nobody, and writes to one directory', () => {
    assert.equal(user, '65532:65532')
    assert.deepEqual(volumes, ['/data'])
    assert.equal(environment.KEYSPRING_DATA, '/data')
  })

  test('starts the command of the package, and checks it without a shell', () => {
    assert.equal(entrypoint[0], '/nodejs/bin/node')
    assert.equal(entrypoint.at(-1), '/app/bin/keyspring.js')
    // The flag that the command itself gives where a shell starts it.
    assert.match(textOf('bin/keyspring.js').split('\n')[0] ?? '', new RegExp(`${entrypoint[1]}$`))
    assert.deepEqual(command, ['serve'])
    assert.equal(healthcheck[0], '/nodejs/bin/node')
    assert.match(healthcheck.at(-1) ?? '', new RegExp(`127\\.0\\.0\\.1:${environment.KEYSPRING_PORT}/livez`))
  })

  test('sets settings that there are, and exposes what is served', () => {
    for (const name of Object.keys(environment)) assert.ok(name === 'NODE_ENV' || variables.has(name), name)
    assert.deepEqual(expose, [Number(environment.KEYSPRING_PORT), 9090])
  })

  test('lets nothing into the build but what is named, for every builder', () => {
    assert.equal(textOf('deploy/container/Containerfile.dockerignore'), IGNORE)
    assert.match(IGNORE, /^\*\*$/m)
    for (const secret of ['data', 'data/root.key', '.env', 'deploy/compose/secrets', 'keyspring.yaml', '.git']) {
      assert.equal(isInContext(IGNORE, secret), false, secret)
    }
  })
})

test('an instruction that nobody checks is refused', () => {
  assert.throws(() => readContainerfile('FROM a\nADD https://example.com/x /'), SyntaxError)
  assert.throws(() => readContainerfile('RUN true'), SyntaxError)
})

const SYSTEMD = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' })
const unit = textOf('deploy/systemd/keyspring.service')
const settingsOf = (name: string): readonly string[] =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value)

describe('the unit for systemd', () => {
  const HARDENED: Readonly<Record<string, string>> = {
    DynamicUser: 'yes',
    StateDirectory: 'keyspring',
    StateDirectoryMode: '0700',
    ProtectSystem: 'strict',
    ProtectHome: 'yes',
    NoNewPrivileges: 'yes',
    CapabilityBoundingSet: '',
    LimitCORE: '0',
    MemorySwapMax: '0',
    UMask: '0077',
    ExecReload: '/bin/kill -HUP $MAINPID',
  }
  for (const [name, value] of Object.entries(HARDENED)) {
    test(`says ${name}=${value}`, () => assert.deepEqual(settingsOf(name), [value]))
  }

  test('sets settings that there are, secrets by credentials', () => {
    const credentials = settingsOf('LoadCredential').map((one) => one.split(':')[0])
    for (const pair of settingsOf('Environment')) {
      const [name = '', value = ''] = pair.split('=')
      assert.ok(name === 'NODE_ENV' || variables.has(name), name)
      if (value.startsWith('%d/')) assert.ok(credentials.includes(value.slice(3)), value)
    }
    assert.ok(credentials.includes('root-key-passphrase'))
  })

  test('is taken by systemd', { skip: SYSTEMD.error === undefined ? false : 'systemd-analyze is not here' }, () => {
    const directory = mkdtempSync(join(tmpdir(), 'keyspring-unit-'))
    try {
      const file = join(directory, 'keyspring.service')
      // The command need not be installed to check the rest.
      writeFileSync(file, unit.replace('/usr/bin/keyspring', '/bin/true'))
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' })
      assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
