import { existsSync } from 'node:fs'
import { isAbsolute, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { type Config, readConfig } from '../../server/config/config.ts'
import { resolveSecretReferences } from '../../server/config/secret-references.ts'
import type { ConfigFlags, ConfigSources } from '../../server/config/sources.ts'
import { startOn } from '../../server/keyspring.ts'
import { type Log, toLoggedError } from '../../server/observe/log.ts'
import type { RunningServer } from '../../server/start.ts'
import { Watchdog } from '../../server/watchdog.ts'
import { EXIT } from '../shared/errors.ts'
import { examples } from '../shared/options.ts'
import { ServerFile } from '../shared/running-servers.ts'
import type { World } from '../shared/world.ts'

interface ServeOptions extends ConfigFlags {
  readonly config?: string
  readonly migrate?: boolean
}

/** Defines `keyspring serve`. */
export function defineServe(command: Command, world: World): void {
  command
    .option('--host <host>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <port>', 'port to listen on, 0 for any free port (default: 8080)')
    .option('--data <dir>', 'directory of the store and the root key (default: ./data)')
    .option('--config <file>', 'YAML file of settings')
    .option('--public-url <url>', 'where players reach this server, for key URLs in answers')
    .option('--allow-anonymous', 'answer callers without authentication, on any address: every caller gets keys')
    .option('--log-requests', 'log a line for each request')
    .option('--migrate', 'update the schema of PostgreSQL first')
    .addHelpText(
      'after',
      examples(
        'keyspring serve',
        'keyspring serve --config keyspring.yaml',
        'keyspring serve --host 0.0.0.0 --port 8080 --public-url https://keys.example.com --config keyspring.yaml',
      ),
    )
    .action((options: ServeOptions) => serve(options, world))
}

/** Serves until SIGTERM or SIGINT. SIGHUP reloads the configuration. */
async function serve({ config: file, migrate = false, ...flags }: ServeOptions, world: World): Promise<void> {
  const sources = async (): Promise<ConfigSources> => ({
    file,
    environment: await resolveSecretReferences(world.env),
    flags,
  })
  const reloads = new Reloads(world, async () => readConfig(await sources()))
  const config = readConfig(await sources())
  // Print notices at once: a new root key must be backed up even if the server does not start.
  const { server, log } = await startOn(config, { migrate, onNotice: (notice) => world.stderr.line(notice) })

  // Before the greeting: a program that reads it may send a signal at once.
  const serverFile = new ServerFile(resolve(config.data), server.url, (error) =>
    log.warn({ error: toLoggedError(error) }, 'keyspring server reload cannot find this server'),
  )
  reloads.start(server, log, serverFile)
  const watchdog = new Watchdog({ environment: world.env, pid: process.pid })
  const stopped = untilStopped(server, log, world)
  for (const line of greeting(config, server)) world.stderr.line(line)
  await stopped
  watchdog.close()
  reloads.close()
  serverFile.close()
  log.flush()
}

/** Reloads the configuration on SIGHUP, one reload after the other. A signal that arrives before `start` waits for it. */
class Reloads {
  readonly #world: World
  readonly #read: () => Promise<Config>
  readonly #onSignal = (): void => this.#reload()
  #isDue = false
  #running: { readonly server: RunningServer; readonly log: Log; readonly file: ServerFile } | undefined
  #last: Promise<void> = Promise.resolve()

  constructor(world: World, read: () => Promise<Config>) {
    this.#world = world
    this.#read = read
    world.signals.on('SIGHUP', this.#onSignal)
  }

  start(server: RunningServer, log: Log, file: ServerFile): void {
    this.#running = { server, log, file }
    if (this.#isDue) this.#reload()
  }

  close(): void {
    this.#world.signals.off('SIGHUP', this.#onSignal)
  }

  #reload(): void {
    const running = this.#running
    if (running === undefined) {
      this.#isDue = true
      return
    }
    this.#last = this.#last.then(async () => {
      try {
        await running.server.reload(await this.#read())
        running.file.reloaded(undefined)
      } catch (error) {
        const problem = error instanceof Error ? error.message : 'unknown'
        running.log.error({ problem }, 'configuration refused, the old one stays')
        running.file.reloaded(problem)
      }
    })
  }
}

/** Resolves once the server is closed after SIGTERM or SIGINT. A second signal ends the process at once. */
function untilStopped(server: RunningServer, log: Log, world: World): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      world.signals.off('SIGTERM', stop)
      world.signals.off('SIGINT', stop)
      log.info({}, 'draining')
      server
        .close()
        .catch((error: unknown) => {
          world.stderr.line(
            `keyspring: not closed cleanly: ${error instanceof Error ? error.message : 'unknown error'}`,
          )
          world.exitCode = EXIT.failed
        })
        .then(resolve)
    }
    world.signals.on('SIGTERM', stop)
    world.signals.on('SIGINT', stop)
  })
}

const SAMPLE = fileURLToPath(new URL('../../../docs/examples/widevine-playready-cenc.xml', import.meta.url))

function greeting(config: Config, { url, adminUrl, clients, managementTokenFile }: RunningServer): readonly string[] {
  const place = {
    memory: 'in memory, lost when it stops',
    postgres: 'in PostgreSQL',
    dynamodb: `in the table ${config.dynamodb.table}`,
    sqlite: resolve(config.data),
  }[config.store]
  const lines = [`keyspring listens on ${url}, keys ${place}`]
  if (adminUrl !== undefined) lines.push(`metrics at ${adminUrl}/metrics`)
  if (config.api.enabled) lines.push(`management API at ${adminUrl ?? url}/api/docs`)
  if (managementTokenFile !== undefined) lines.push(`management token in ${managementTokenFile}`)
  if (clients > 0) lines.push(`${clients} ${clients === 1 ? 'client has' : 'clients have'} to authenticate`)
  if (config.allowAnonymous) lines.push('anonymous callers are allowed: everyone who reaches this address gets keys')
  if (existsSync(SAMPLE) && clients === 0 && !url.startsWith('https:')) {
    const header = "-H 'Content-Type: application/xml' -H 'X-Speke-Version: 2.0'"
    lines.push('try:', `  curl -s ${header} --data-binary @${shellPath(SAMPLE)} ${url}/speke/v2.0/copyProtection`)
  }
  return lines
}

/** A path as a shell reads it, relative if it is below the working directory. */
function shellPath(path: string): string {
  const near = relative(process.cwd(), path)
  const shown = near.startsWith('..') || isAbsolute(near) ? path : near
  return /^[\w./~+-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`
}
