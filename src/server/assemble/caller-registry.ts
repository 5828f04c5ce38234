import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { Authenticator } from '../../auth/authenticate.ts'
import type { ClientStore, RegisteredClient } from '../../auth/clients/client.ts'
import { createCredentialSecrets, OpenedSecrets } from '../../auth/clients/credential-secrets.ts'
import { createClientDirectory } from '../../auth/clients/directory.ts'
import type { SignerCredential } from '../../auth/credentials/credential.ts'
import { decodeWidevineSigner, type WidevineSigner } from '../../auth/methods/widevine-signer.ts'
import { RateLimit } from '../../auth/rate-limit.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import type { DataKeyStore } from '../../keys/ports/data-key-store.ts'
import { accessOf, NO_CALLERS, NO_CALLERS_LEFT } from '../config/callers.ts'
import type { Config } from '../config/config.ts'
import type { ReportProblem } from '../config/fields.ts'
import { type Log, toLoggedError } from '../observe/log.ts'
import { AuthMethods } from './auth-methods.ts'
import { BootstrapToken } from './bootstrap-token.ts'
import { Callers } from './callers.ts'
import { toRegisteredClients } from './configured-clients.ts'

interface CallerRegistryOptions {
  readonly store: Pick<ClientStore, 'listClients'> & Pick<DataKeyStore, 'findDataKeys'>
  readonly dataKeys: DataKeys
  readonly log: Log
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** The tenant of keys that belong to no content. */
const SERVER_TENANT = 'default'
const NONCE_LABEL = 'keyspring/digest-nonce/v1'
/**
 * A store with a data key of this tenant once had clients. It never serves anonymous callers again unless the configuration says
 * so: a data key lasts as long as the store, and is in every backup of it.
 */
const HAD_CLIENTS_TENANT = 'had-clients'
const BOOTSTRAP_FILE = 'management.token'

/** The clients of a server, from the configuration and the store. The state of their authentication outlasts a reload. */
export class CallerRegistry {
  readonly #options: CallerRegistryOptions
  readonly #secrets
  readonly #clients = createClientDirectory()
  readonly #methods: AuthMethods
  readonly #signers: OpenedSecrets<SignerCredential, WidevineSigner>
  #limit: { readonly of: string; readonly limit: RateLimit } | undefined
  #bootstrapToken: BootstrapToken | undefined
  #serves: Config | undefined

  constructor(options: CallerRegistryOptions) {
    const { dataKeys, now } = options
    this.#options = options
    this.#secrets = createCredentialSecrets({ dataKeys, randomBytes })
    const nonceKey = async () => {
      const { key } = await dataKeys.current(SERVER_TENANT)
      return createSecretKey(createHmac('sha256', key).update(NONCE_LABEL).digest())
    }
    this.#methods = new AuthMethods({ clients: this.#clients, secrets: this.#secrets, nonceKey, now, randomBytes })
    this.#signers = new OpenedSecrets(this.#secrets, (clear, { kind }) => decodeWidevineSigner(kind, clear))
  }

  /** Reads the callers of a configuration. `enforce` makes them the callers of the server. Rejects with ERR_CONFIG_INVALID and every problem. */
  async load(config: Config): Promise<Callers> {
    const problems: string[] = []
    const report: ReportProblem = (path, problem) => void problems.push(`${path}: ${problem}`)
    const registered = await this.#registered(config, report)
    const access = accessOf(config, await this.#hadClients(config, registered))
    // Report the problems of the new callers before they replace the current ones.
    problems.push(...problemsOf(registered, config))
    if (access === 'clients' && registered.length === 0 && this.#serves === undefined) {
      problems.push(`host: ${config.isPrivate ? NO_CALLERS_LEFT : NO_CALLERS}`)
    }
    if (this.#serves !== undefined) reportWidening(this.#serves, config, report)
    const { methods, problems: ofMethods } = await this.#methods.of(config, registered, report)
    problems.push(...ofMethods)
    if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', problems.join('\n'))

    return new Callers({
      config,
      access,
      registered,
      clients: this.#clients,
      authenticator: new Authenticator(methods),
      limit: this.#limitOf(config),
      signers: this.#signers,
      bootstrapToken: registered.length === 0 && access !== 'clients' ? this.#openBootstrapToken(config) : undefined,
      now: this.#options.now,
    })
  }

  /** Makes loaded callers the callers of the server. Cannot fail. */
  enforce({ config, registered }: Callers): void {
    this.#clients.replace(registered)
    this.#serves = config
  }

  async #registered(config: Config, report: ReportProblem): Promise<readonly RegisteredClient[]> {
    const options = { secrets: this.#secrets, randomBytes, auth: config.auth, report }
    return [...(await toRegisteredClients(config.clients, options)), ...(await this.#options.store.listClients())]
  }

  /** Whether the store has or ever had clients; remembers that it has. */
  async #hadClients(config: Config, registered: readonly RegisteredClient[]): Promise<boolean> {
    // A function is never private, and the role of one that only serves players must not write.
    if (config.runsAs === 'function') return registered.length > 0
    const { store, dataKeys } = this.#options
    const isKnown = (await store.findDataKeys(HAD_CLIENTS_TENANT)).length > 0
    if (!isKnown && registered.length > 0) await dataKeys.current(HAD_CLIENTS_TENANT)
    return isKnown || registered.length > 0
  }

  #limitOf({ limits }: Config): RateLimit | undefined {
    const { clientRequestsPerSecond: perSecond, clientBurst: burst } = limits
    if (perSecond === 0) return undefined
    const of = `${perSecond} ${burst}`
    if (this.#limit?.of !== of) {
      this.#limit = { of, limit: new RateLimit({ perSecond, burst, now: () => performance.now() }) }
    }
    return this.#limit.limit
  }

  /** The token of management without clients; undefined if its file cannot be written: then nothing can be managed. */
  #openBootstrapToken({ data, api, loopback }: Config): BootstrapToken | undefined {
    if (!api.enabled || !loopback) return undefined
    try {
      this.#bootstrapToken ??= BootstrapToken.open(join(resolve(data), BOOTSTRAP_FILE))
    } catch (error) {
      this.#options.log.warn({ error: toLoggedError(error) }, 'no management without clients: its token has no file')
    }
    return this.#bootstrapToken
  }
}

/** Reports settings with which a reload would serve callers or players that the running server rejects. */
function reportWidening(before: Config, next: Config, report: ReportProblem): void {
  const problem = 'a reload cannot open a running server: restart it'
  if (next.allowAnonymous && !before.allowAnonymous) report('allowAnonymous', problem)
  const [was, is] = [before.playback.access.kind, next.playback.access.kind]
  if (is === 'open' && was !== 'open') report('playback.access', problem)
}

/** The problems of the clients of the configuration and of the store, taken together. */
function problemsOf(registered: readonly RegisteredClient[], config: Config): readonly string[] {
  const problems = registered.flatMap(({ client: { name, signalingProfile } }) =>
    signalingProfile === undefined || config.signalingProfiles.has(signalingProfile)
      ? []
      : [`client ${JSON.stringify(name)}: no signalling profile has the name ${JSON.stringify(signalingProfile)}`],
  )
  try {
    createClientDirectory(registered)
  } catch (error) {
    if (!(error instanceof KeyProviderError && error.code === 'ERR_CONFIG_INVALID')) throw error
    problems.push(...error.message.split('\n'))
  }
  return problems
}
