import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { type Actor, channel, importer, operator, SHORT, shortLived } from './soak/actors.ts'
import { asker } from './soak/client.ts'
import { isFlat, watchMemory } from './soak/memory.ts'
import { soakedServer } from './soak/server.ts'
import { createTally } from './soak/tally.ts'

const HELP = `npm run soak [-- options]
  --minutes N    how long (30)
  --channels N   live channels with two packagers each (40)
  --restarts N   how often the server is ended and started again, every other time by SIGKILL (5)`

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    channels: { type: 'string', default: '40' },
    restarts: { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(HELP)
  process.exit(0)
}

const BIN = fileURLToPath(new URL('../bin/keyspring.js', import.meta.url))
const SAMPLE_MS = 2_000
const directory = mkdtempSync(join(tmpdir(), 'keyspring-soak-'))
process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
const config = join(directory, 'keyspring.yaml')
writeFileSync(
  config,
  `data: ${join(directory, 'data')}
retention:
  classes:
    live: {keep: 1d, grace: 1d}
    short: {keep: ${SHORT.keep}s, grace: ${SHORT.grace}s}
  contents:
    - {contentId: 'live-*', class: live}
    - {contentId: 'short-*', class: short}
  sweepMinutes: 1
events: {file: ${join(directory, 'events.jsonl')}}
`,
)

const tally = createTally()
const memory = watchMemory()
const server = await soakedServer(config, (line) => tally.wrong('an error in the log', line.slice(0, 500)))
const endAt = performance.now() + Number(flags.minutes) * 60_000
const isOver = (): boolean => performance.now() >= endAt
const bearer = readFileSync(join(directory, 'data', 'management.token'), 'utf8').trim()
const world = { ask: asker(server.url, tally, bearer), tally, now: () => Date.now() }

async function run({ name, pauseMs, step }: Actor): Promise<void> {
  await pause(Math.random() * pauseMs)
  while (!isOver()) {
    try {
      await step()
    } catch (error) {
      tally.wrong(`${name} ended with an error`, error instanceof Error ? error.message : 'unknown')
    }
    await pause(pauseMs)
  }
}

async function sampleMemory(): Promise<void> {
  while (!isOver()) {
    await pause(SAMPLE_MS)
    // Between two lives there is nothing to look at.
    await memory.sample(server.url, server.lives()).catch(() => undefined)
  }
}

async function restart(): Promise<void> {
  const times = Number(flags.restarts)
  for (let n = 1; n <= times; n++) {
    const at = endAt - (Number(flags.minutes) * 60_000 * (times + 1 - n)) / (times + 1)
    await pause(Math.max(0, at - performance.now()))
    await server.restart(n % 2 === 1 ? 'SIGTERM' : 'SIGKILL')
    tally.ok('restarts')
  }
}

const channels = Array.from({ length: Number(flags.channels) }, (_, n) => channel(world, n))
const actors = [...channels, shortLived(world), shortLived(world), importer(world), operator(world)]
await Promise.all([...actors.map(run), sampleMemory(), restart()])
const code = await server.stop()
if (code !== 0) tally.wrong('the server did not end well', `code ${code}`)

const audit = await promisify(execFile)(process.execPath, [BIN, 'audit', 'verify', '--config', config]).catch(
  (error: { readonly stdout?: string }) => {
    tally.wrong('the audit log does not hold together', (error.stdout ?? '').slice(0, 500))
    return { stdout: '' }
  },
)
console.log(
  `${flags.minutes} minutes, ${flags.channels} channels, ${server.lives()} processes, node ${process.version}`,
)
console.table(Object.fromEntries(tally.counts))
console.table(memory.lives().map((life) => ({ ...rounded(life), flat: isFlat(life) })))
console.log(audit.stdout.trim())
for (const [what, { count, first }] of tally.wrongs) console.log(`WRONG: ${what}: ${count} times, first: ${first}`)
const isFine = tally.wrongs.size === 0 && memory.lives().every(isFlat)
console.log(isFine ? 'nothing was missed' : 'something was missed')
process.exitCode = isFine ? 0 : 1

function rounded(numbers: object): object {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, Math.round(Number(value) * 10) / 10]))
}
