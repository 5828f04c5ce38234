import { existsSync } from 'node:fs'
import { isAbsolute, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Config, readConfig } from '../../../server/config/config.ts'
import { resolveSecretReferences } from '../../../server/config/secret-references.ts'
import type { ConfigFlags, ConfigSources } from '../../../server/config/sources.ts'
import { startOn } from '../../../server/keyspring.ts'
import type { Log } from '../../../server/observe/log.ts'
import type { RunningServer } from '../../../server/start.ts'

export interface ServeOptions extends ConfigFlags {
  readonly config?: string
  /** Brings the schema of PostgreSQL up to date first. */
  readonly migrate?: boolean
}

/** Serves until SIGTERM or SIGINT; SIGHUP reads the configuration again. */
export async function serve({ config: file, migrate = false, ...flags }: ServeOptions): Promise<void> {
  const sources: ConfigSources = { file, environment: await environment(), flags }
  const config = readConfig(sources)
  // A root key that was made for a server that does not start must be backed up all the same.
  const { server, log } = await startOn(config, { migrate, onNotice: say })

  // First: whoever reads that it listens may send a signal at once.
  obeySignals(server, log, sources)
  for (const line of greeting(config, server)) say(line)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** The environment of the process, with the values that it refers to. */
async function environment(): Promise<ConfigSources['environment']> {
  return resolveSecretReferences(process.env)
}

function obeySignals(server: RunningServer, log: Log, sources: ConfigSources): void {
  const stop = (): void => {
    log.info({}, 'draining')
    server.close().then(
      () => leave(log, 0),
      (error: unknown) => {
        process.stderr.write(`keyspring: not closed cleanly: ${error instanceof Error ? error.message : 'unknown'}\n`)
        leave(log, 1)
      },
    )
  }
  // Once: a second signal ends the process at once, as if nobody listened.
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  process.on('SIGHUP', () => {
    reload(server, sources).catch((error: unknown) => {
      const problem = error instanceof Error ? error.message : 'unknown'
      log.error({ problem }, 'configuration refused, the old one stays')
    })
  })
}

async function reload(server: RunningServer, sources: ConfigSources): Promise<void> {
  await server.reload(readConfig({ ...sources, environment: await environment() }))
}

function leave(log: Log, code: number): void {
  log.flush()
  process.exit(code)
}

const SAMPLE = fileURLToPath(new URL('../../../../docs/examples/widevine-playready-cenc.xml', import.meta.url))

function greeting(config: Config, { url, adminUrl, clients }: RunningServer): readonly string[] {
  const place = {
    memory: 'in memory, lost when it stops',
    postgres: 'in PostgreSQL',
    dynamodb: `in the table ${config.dynamodb.table}`,
    sqlite: resolve(config.data),
  }[config.store]
  const lines = [`keyspring listens on ${url}, keys ${place}`]
  if (adminUrl !== undefined) lines.push(`metrics at ${adminUrl}/metrics`)
  if (config.api.enabled) lines.push(`management API at ${adminUrl ?? url}/api/docs`)
  if (clients > 0) lines.push(`${clients} ${clients === 1 ? 'client has' : 'clients have'} to authenticate`)
  if (config.allowAnonymous) lines.push('anonymous callers are allowed: whoever reaches this address gets keys')
  if (existsSync(SAMPLE) && clients === 0 && !url.startsWith('https:')) {
    const header = "-H 'Content-Type: application/xml' -H 'X-Speke-Version: 2.0'"
    lines.push('try:', `  curl -s ${header} --data-binary @${shellPath(SAMPLE)} ${url}/speke/v2.0/copyProtection`)
  }
  return lines
}

/** A path as a shell takes it, short where it is below the working directory. */
function shellPath(path: string): string {
  const near = relative(process.cwd(), path)
  const shown = near.startsWith('..') || isAbsolute(near) ? path : near
  return /^[\w./~+-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`
}
