import { type Config, readConfig } from './config/config.ts'
import { resolveSecretReferences } from './config/secret-references.ts'
import type { ConfigSources } from './config/sources.ts'
import { createLog, type Log } from './observe/log.ts'
import { standardOutput } from './observe/log-output.ts'
import { RunningServer } from './start.ts'
import { packageVersion } from './version.ts'

export interface KeyspringOptions {
  /** The settings by section, as in a configuration file. docs/config.md describes them. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** A configuration file, instead of `settings`. */
  readonly file?: string
  /** Variables that win over both, such as `process.env`. Default: none. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Update the schema of PostgreSQL first. */
  readonly migrate?: boolean
}

/** A server that listens. */
export interface Keyspring {
  /** The address of the server, as the start of a URL. */
  readonly url: string
  /** The address of the listener for metrics and administration; undefined if there is none. */
  readonly adminUrl: string | undefined
  /** The file of the token for management while no client is configured; undefined if one is, or if management is off. */
  readonly managementTokenFile: string | undefined
  /** Startup warnings, one sentence each: back up a new root key. */
  readonly notices: readonly string[]
  /** Applies other settings without losing a request. Rejects with ERR_CONFIG_INVALID, and changes nothing, if they are wrong. */
  reload(options: Pick<KeyspringOptions, 'settings' | 'file' | 'environment'>): Promise<void>
  /** Rejects new requests, finishes those in progress, then closes the keys. */
  close(): Promise<void>
}

/**
 * Starts a server in this process; it logs to standard error. Rejects with ERR_CONFIG_INVALID and every problem, by name and never
 * by value. Like `keyspring serve`, it does not start a server that other machines could ask for keys without a credential.
 */
export async function startKeyspring({ migrate = false, ...given }: KeyspringOptions = {}): Promise<Keyspring> {
  const notices: string[] = []
  const config = readConfig(await sourcesOf(given))
  const { server, log } = await startOn(config, { migrate, onNotice: (notice) => void notices.push(notice) })
  const { url, adminUrl, managementTokenFile } = server
  return {
    url,
    adminUrl,
    managementTokenFile,
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

interface StartOptions {
  readonly migrate: boolean
  /** Takes the startup warnings before anything listens: the start may still fail. */
  readonly onNotice: (notice: string) => void
}

/** Starts the server of a configuration. If it cannot start, closes everything that was opened. */
export async function startOn(
  config: Config,
  { migrate, onNotice }: StartOptions,
): Promise<{ readonly server: RunningServer; readonly log: Log }> {
  const version = packageVersion()
  const [metrics, { assemble }] = await Promise.all([
    import('./observe/metrics.ts').then(({ createMetrics }) => createMetrics(version)),
    import('./assemble/assemble.ts'),
  ])
  const output = standardOutput(2, { sync: false, onLoss: metrics.logLost })
  const log = await createLog(config.logLevel, output)
  const keyProvider = await assemble(config, log, metrics, { migrate })
  for (const notice of keyProvider.notices) onNotice(notice)
  try {
    return { server: await RunningServer.start(config, { keyProvider, log, metrics, version }), log }
  } catch (error) {
    await keyProvider.close()
    throw error
  }
}

async function sourcesOf({ settings, file, environment = {} }: KeyspringOptions): Promise<ConfigSources> {
  return { settings, file, environment: await resolveSecretReferences(environment) }
}
