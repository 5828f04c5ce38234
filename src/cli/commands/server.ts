import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import { wrongUsage } from '../../core/errors.ts'
import { readConfig } from '../../server/config/config.ts'
import { type DoctorOptions, doctor } from '../doctor/doctor.ts'
import { EXIT } from '../shared/errors.ts'
import { FAIL_ON } from '../shared/findings.ts'
import { examples, readNumber } from '../shared/options.ts'
import { runningServers, type ServerRecord } from '../shared/running-servers.ts'
import { addKeysOptions, type KeysOptions } from '../shared/stored.ts'
import { printResult, type World } from '../shared/world.ts'

/** Defines `keyspring server doctor` and `keyspring server reload`. */
export function defineServer(server: Command, world: World): void {
  server
    .command('doctor')
    .description('check store, root key, clock, configuration, network and certificates')
    .option('--config <file>', 'YAML file of settings')
    .option('--data <dir>', 'as for keyspring serve')
    .option('--host <host>', 'as for keyspring serve')
    .option('--port <port>', 'as for keyspring serve')
    .option('--public-url <url>', 'as for keyspring serve')
    .option('--allow-anonymous', 'as for keyspring serve')
    .option('--json', 'print JSON')
    .addOption(new Option('--fail-on <severity>', 'lowest severity that fails').choices(FAIL_ON).default('error'))
    .addHelpText('after', DOCTOR_HELP)
    .action((options: DoctorOptions) => doctor(options, world))
  addKeysOptions(
    server
      .command('reload')
      .description('make the servers of a data directory on this machine read their configuration again'),
  )
    .option('--timeout <seconds>', 'how long to wait for each server', '10')
    .option('--json', 'print JSON')
    .addHelpText('after', `${RELOAD_HELP}${examples('keyspring server reload --config keyspring.yaml')}`)
    .action((options: ReloadOptions) => reload(options, world))
}

const RELOAD_HELP = `
A server reads its configuration file, the clients in the store and its certificates again, without losing a request. If
the configuration is invalid, it keeps the old one, and the command prints why.
`

interface ReloadOptions extends KeysOptions {
  readonly timeout: string
  readonly json?: boolean
}

type Reloaded = Pick<ServerRecord, 'pid' | 'url'> & {
  readonly outcome: 'reloaded' | 'rejected' | 'no answer'
  readonly problem?: string
}

/** Sends SIGHUP to the servers of a data directory and waits for the outcome of each. */
async function reload(options: ReloadOptions, world: World): Promise<void> {
  const timeoutMs = readNumber('--timeout', options.timeout, 1, 3600) * 1000
  const flags = { data: options.data }
  const config = readConfig({ file: options.config, environment: world.env, flags, serves: false })
  const data = resolve(config.data)
  const running = runningServers(data)
  if (running.length === 0) {
    throw wrongUsage(
      `no server with the data directory ${data} runs on this machine: name its configuration with --config, or its directory with --data`,
    )
  }
  const servers = await Promise.all(running.map((one) => reloadOne(data, one, timeoutMs)))
  printResult(world, options.json, { servers }, () =>
    servers.map(({ pid, url, outcome, problem }) =>
      [`${url}  process ${pid}  ${outcome}`, ...(problem === undefined ? [] : [problem])].join(': '),
    ),
  )
  if (servers.some(({ outcome }) => outcome === 'rejected')) world.exitCode = EXIT.usage
  else if (servers.some(({ outcome }) => outcome === 'no answer')) world.exitCode = EXIT.failed
}

const POLL_MS = 50

async function reloadOne(data: string, { pid, url, reloads }: ServerRecord, timeoutMs: number): Promise<Reloaded> {
  process.kill(pid, 'SIGHUP')
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += POLL_MS) {
    await sleep(POLL_MS)
    const now = runningServers(data).find((one) => one.pid === pid)
    if (now === undefined) break
    if (now.reloads === reloads) continue
    const { problem } = now
    return { pid, url, ...(problem === undefined ? { outcome: 'reloaded' } : { outcome: 'rejected', problem }) }
  }
  return { pid, url, outcome: 'no answer' }
}

const DOCTOR_HELP = `
The command changes nothing, can run beside the server, and prints no secret.

Examples:
  keyspring server doctor --config keyspring.yaml
  keyspring server doctor --config keyspring.yaml --json | jq '.findings[] | select(.health != "ok")'
  keyspring server doctor --config keyspring.yaml --fail-on warning

Exit codes: 0 nothing as severe as --fail-on, 6 errors found, 7 warnings, 8 notes.`
