import { type Config, readConfig } from './config/config.ts'
import { resolveSecretReferences } from './config/secret-references.ts'
import type { ConfigSources } from './config/sources.ts'
import { createLog, type Log } from './observe/log.ts'
import { type RunningServer, startServer } from './start.ts'
import { packageVersion } from './version.ts'

export interface KeyspringOptions {
  /** The settings as a configuration file has them, by section. @see docs/config.md */
  readonly settings?: Readonly<Record<string, unknown>>
  /** A configuration file, in the place of `settings`. */
  readonly file?: string
  /** Variables that win over both, such as `process.env`. Without it the environment is not looked at. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Brings the schema of PostgreSQL up to date first. */
  readonly migrate?: boolean
}

/** A server that listens. */
export interface Keyspring {
  /** Where it listens, as the start of a URL. */
  readonly url: string
  /** Where metrics and administration have a listener of their own, if they have one. */
  readonly adminUrl: string | undefined
  /** What whoever starts the server must know, one sentence each: that a root key was made, and is to be backed up. */
  readonly notices: readonly string[]
  /** Answers by other settings from now on, without losing a request. Rejects, and everything stays, when they are wrong. */
  reload(options: Pick<KeyspringOptions, 'settings' | 'file' | 'environment'>): Promise<void>
  /** Takes no more requests, finishes those in flight, then closes the keys. */
  close(): Promise<void>
}

/**
 * Starts a server in this process; it logs to standard error. Rejects with ERR_CONFIG_INVALID and every problem, by name and never by
 * value, and like `keyspring serve` for a server that anybody could ask for keys.
 */
export async function startKeyspring({ migrate = false, ...given }: KeyspringOptions = {}): Promise<Keyspring> {
  const notices: string[] = []
  const config = readConfig(await sourcesOf(given))
  const { server, log } = await startOn(config, { migrate, onNotice: (notice) => void notices.push(notice) })
  const { url, adminUrl } = server
  return {
    url,
    adminUrl,
    notices,
    async reload(options) {
      await server.reload(readConfig(await sourcesOf(options)))
    },
    async close() {
      await server.close()
      log.flush()
    },
  }
}

export interface StartOptions {
  /** Brings the schema of PostgreSQL up to date first. */
  readonly migrate: boolean
  /** Told, before anything listens, what whoever starts the server must know: it may not start after all. */
  readonly onNotice: (notice: string) => void
}

/** Starts the server of a configuration. What was opened is closed when it cannot start. */
export async function startOn(
  config: Config,
  { migrate, onNotice }: StartOptions,
): Promise<{ readonly server: RunningServer; readonly log: Log }> {
  const version = packageVersion()
  const [log, metrics, { assemble }] = await Promise.all([
    createLog(config.logLevel),
    import('./observe/metrics.ts').then(({ createMetrics }) => createMetrics(version)),
    import('./assemble/assemble.ts'),
  ])
  const keyProvider = await assemble(config, log, metrics, { migrate })
  for (const notice of keyProvider.notices) onNotice(notice)
  try {
    return { server: await startServer(config, { keyProvider, log, metrics, version }), log }
  } catch (error) {
    await keyProvider.close()
    throw error
  }
}

async function sourcesOf({ settings, file, environment = {} }: KeyspringOptions): Promise<ConfigSources> {
  return { settings, file, environment: await resolveSecretReferences(environment) }
}
