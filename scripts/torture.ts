import { parseArgs } from 'node:util'
import {
  databaseDown,
  databaseSlow,
  diskFull,
  killOnSqlite,
  killPostgres,
  type Limits,
  type Result,
  race,
} from './torture/scenarios.ts'

// Kills servers and databases under load and asks again: every key that was acknowledged must be the same for ever.
//   npm run torture
//   npm run torture -- --only killOnSqlite --rounds 20 --minutes 5

const { values } = parseArgs({
  options: { only: { type: 'string' }, rounds: { type: 'string' }, minutes: { type: 'string', default: '20' } },
})

const SCENARIOS: Readonly<
  Record<string, { readonly run: (limits: Limits) => Promise<Result>; readonly rounds: number }>
> = {
  killOnSqlite: { run: killOnSqlite, rounds: 200 },
  killPostgres: { run: killPostgres, rounds: 20 },
  race: { run: race, rounds: 400 },
  databaseDown: { run: databaseDown, rounds: 1 },
  databaseSlow: { run: databaseSlow, rounds: 10 },
  diskFull: { run: diskFull, rounds: 1 },
}

const deadline = performance.now() + Number(values.minutes) * 60_000
// Whatever hangs ends with this: a torture that does not end proves nothing.
setTimeout(
  () => {
    process.stderr.write('torture: not done in time\n')
    process.exit(1)
  },
  Number(values.minutes) * 60_000 + 120_000,
).unref()

const results: Result[] = []
for (const [name, { run, rounds }] of Object.entries(SCENARIOS)) {
  if (values.only !== undefined && values.only !== name) continue
  process.stderr.write(`${name} …\n`)
  results.push(await run({ rounds: Number(values.rounds ?? rounds), deadline, startMs: 2_000 }))
}

const COLUMNS = ['scenario', 'rounds', 'acknowledged', 'differing', 'worst start ms', 'verdict', 'note']
const rows = results.map(({ scenario, rounds, acknowledged, differing, worstStartMs, passed, note }) => [
  scenario,
  String(rounds),
  String(acknowledged),
  String(differing),
  worstStartMs === undefined ? '' : String(Math.round(worstStartMs)),
  passed ? 'held' : 'BROKEN',
  note,
])
for (const row of [COLUMNS, COLUMNS.map(() => '---'), ...rows]) process.stdout.write(`| ${row.join(' | ')} |\n`)
process.exitCode = results.length > 0 && results.every(({ passed }) => passed) ? 0 : 1
