import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, globSync, mkdirSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { SHARED_PASSWORD, SHARED_PORT, startPostgres } from '../test/adapters/store/postgres/server.ts'

// Runs the tests: `npm test` all of them, `npm run test:unit` those that start no process and no store.
//
// The files of a lane share one process, because starting Node.js and reading the sources again for each of 220 files costs
// more than the tests do. Lanes run side by side; the suites of all lanes share one PostgreSQL.

/** Which folders of test/ a lane runs. A folder that no lane names runs in the last lane. */
const LANES: Readonly<Record<string, readonly string[]>> = {
  units: [
    'core',
    'formats',
    'keys',
    'protocols',
    'auth',
    'http',
    'toolkit/encryptor',
    'toolkit/inspect',
    'toolkit/rules',
  ],
  stores: ['adapters', 'operations', 'torture'],
  servers: ['server', 'callers', 'leak.test.ts'],
  tools: [],
}
/** Lanes that need PostgreSQL. */
const ON_POSTGRES = ['stores', 'servers', 'tools']

const HELP = `usage: node scripts/test.ts [all|unit|LANE] [--help]
  all     every test (default)
  unit    pure code and protocols: no process, no store, under 30 seconds
  LANE    one of: ${Object.keys(LANES).join(', ')}
For one file: node --test test/formats/cpix/fields.test.ts; add --watch to run it again after each change.
`

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean', short: 'h' } },
})
const [which = 'all'] = positionals
if (values.help === true || !['all', 'unit', ...Object.keys(LANES)].includes(which)) {
  process.stdout.write(HELP)
  process.exit(values.help === true ? 0 : 2)
}
const lanes = which === 'all' ? Object.keys(LANES) : [which === 'unit' ? 'units' : which]

const postgres = lanes.some((lane) => ON_POSTGRES.includes(lane)) ? await startPostgres() : undefined
try {
  const environment = {
    ...process.env,
    // Types are stripped once for all processes, those that tests start included.
    NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/keyspring-tests'),
    ...(postgres !== undefined && { [SHARED_PORT]: String(postgres.port), [SHARED_PASSWORD]: postgres.password }),
  }
  mkdirSync(environment.NODE_COMPILE_CACHE, { recursive: true })
  const codes = await Promise.all(lanes.map((lane, i) => runLane(lane, environment, i === 0)))
  process.exitCode = codes.every((code) => code === 0) ? 0 : 1
} finally {
  await postgres?.remove()
}

/** Runs the files of a lane in one process. The first lane prints as it goes, the others when they have ended. */
async function runLane(lane: string, env: NodeJS.ProcessEnv, live: boolean): Promise<number> {
  const log = join(tmpdir(), `keyspring-test-${process.pid}-${lane}.log`)
  const args = ['--test', '--test-isolation=none', '--test-force-exit', '--test-reporter=spec', ...filesOf(lane)]
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env,
    stdio: ['ignore', live ? 'inherit' : 'pipe', 'inherit'],
  })
  const written = child.stdout?.pipe(createWriteStream(log))
  const [code] = (await once(child, 'exit')) as [number | null]
  if (written !== undefined) {
    await finished(written)
    process.stdout.write(await readFile(log))
    await rm(log)
  }
  return code ?? 1
}

function filesOf(lane: string): readonly string[] {
  const files = globSync('test/**/*.test.ts', { cwd: ROOT }).sort()
  const laneOf = (file: string): string => {
    const named = Object.entries(LANES).find(([, folders]) => folders.some((one) => isUnder(file, `test/${one}`)))
    return named?.[0] ?? 'tools'
  }
  return files.filter((file) => laneOf(file) === lane)
}

function isUnder(file: string, folder: string): boolean {
  return file === folder || file.startsWith(`${folder}/`)
}
