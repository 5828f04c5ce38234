import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { type Authenticated, Authenticator } from '../../auth/authenticate.ts'
import { authorize, authorizeServerWide, type Client, SCOPES } from '../../auth/clients/client.ts'
import { createCredentialSecrets, OpenedSecrets } from '../../auth/clients/credential-secrets.ts'
import { createClientDirectory } from '../../auth/clients/directory.ts'
import type { ClientStore, RegisteredClient } from '../../auth/clients/store.ts'
import { isValidAt, type SignerCredential } from '../../auth/credentials/credential.ts'
import { AuthenticationError, ForbiddenError, RateLimitedError } from '../../auth/failure.ts'
import {
  aesSigner,
  decodeWidevineSigner,
  verifyWidevineRequest,
  type WidevineSigner,
} from '../../auth/methods/widevine-signer.ts'
import { RateLimit } from '../../auth/rate-limit.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { matchesPattern } from '../../core/glob.ts'
import type { Call } from '../../http/call.ts'
import type { ApiCaller, Encryptor, IdentifyOperator } from '../../http/callers.ts'
import { isLocalCall, requireLocalCall } from '../../http/listener/private-listener.ts'
import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import type { WidevineCaller } from '../../protocols/widevine/get-content-key.ts'
import { NO_CALLERS } from '../config/callers.ts'
import type { Config } from '../config/config.ts'
import type { Signer } from '../config/signers.ts'
import { AuthMethods } from './auth-methods.ts'
import { toRegisteredClients } from './configured-clients.ts'

/** The callers of a server under one configuration. */
export interface Callers {
  /** How many clients exist; 0: no credentials are required. */
  readonly size: number
  /** How many of their credentials are signers of the Widevine key API. */
  readonly signers: number
  /** The encryptor that sent a call. Throws, or rejects, if it is not authenticated. */
  readonly identify: (call: Call) => Encryptor | Promise<Encryptor>
  /** The operator that sent a call. */
  readonly identifyOperator: IdentifyOperator
  /** Throws, or rejects, unless the sender of a call may read the metrics of every tenant. */
  readonly admitToMetrics: (call: Call) => void | Promise<void>
  /** Who signed a request of the Widevine key API; why it is nobody. */
  readonly findSigner: (name: string, request: Uint8Array, signature: Uint8Array) => Promise<WidevineCaller | NoSigner>
  /** The signalling profile of a client, if it has its own. */
  readonly profileOf: (client: string) => string | undefined
  /** Puts these callers in the place of those before. Cannot fail. */
  enforce(): void
}

/** Reads the callers of a configuration and of the store. Rejects with ERR_CONFIG_INVALID and every problem. */
export type LoadCallers = (config: Config) => Promise<Callers>

export interface LoadCallersOptions {
  readonly store: Pick<ClientStore, 'listClients'>
  readonly dataKeys: DataKeys
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** The tenant whose data key derives keys that belong to no content. */
const SERVER_TENANT = 'default'
const NONCE_LABEL = 'keyspring/digest-nonce/v1'
const ANYONE: Authenticated = {
  method: 'anonymous',
  client: { name: 'anonymous', tenant: 'default', scopes: ['keys:issue'] },
}
/** A program on this machine, while no credentials are required. */
const LOCAL: Authenticated = { ...ANYONE, client: { ...ANYONE.client, scopes: SCOPES } }

/** Loads the callers of a server, over one client directory: proven passwords and nonces outlast a reload. */
export class CallerRegistry {
  readonly #options: LoadCallersOptions
  readonly #secrets
  readonly #clients = createClientDirectory()
  readonly #methods: AuthMethods
  readonly #signers: OpenedSecrets<SignerCredential, WidevineSigner>
  readonly #nobody = aesSigner(randomBytes(32), randomBytes(16))
  #hasServed = false
  #limit: { readonly of: string; readonly limit: RateLimit } | undefined

  constructor(options: LoadCallersOptions) {
    const { dataKeys, now } = options
    this.#options = options
    this.#secrets = createCredentialSecrets({ dataKeys, randomBytes })
    this.#methods = new AuthMethods({
      clients: this.#clients,
      secrets: this.#secrets,
      nonceKey: async () => {
        const { key } = await dataKeys.current(SERVER_TENANT)
        return createSecretKey(createHmac('sha256', key).update(NONCE_LABEL).digest())
      },
      now,
      randomBytes,
    })
    this.#signers = new OpenedSecrets(this.#secrets, (clear, { kind }) => decodeWidevineSigner(kind, clear))
  }

  /** The callers of a configuration and of the store. Rejects with ERR_CONFIG_INVALID and every problem. */
  async load(config: Config): Promise<Callers> {
    const problems: string[] = []
    const report = (path: string, problem: string): void => void problems.push(`${path}: ${problem}`)
    const registered = await this.#registered(config, report)
    problems.push(...problemsOf(registered, config, this.#hasServed))
    const { methods, problems: ofMethods } = await this.#methods.of(config, registered, report)
    problems.push(...ofMethods)
    if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', problems.join('\n'))
    return this.#callers(config, registered, new Authenticator(methods))
  }

  async #registered(config: Config, report: (path: string, problem: string) => void) {
    const options = { secrets: this.#secrets, randomBytes, auth: config.auth, report }
    const written = await toRegisteredClients(config.clients, options)
    return [...written, ...(await this.#options.store.listClients())]
  }

  #callers(config: Config, registered: readonly RegisteredClient[], authenticator: Authenticator): Callers {
    const isOpen = registered.length === 0 && (config.loopback || config.allowAnonymous)
    const profiles = new Map(registered.map(({ client }) => [client.name, client.signalingProfile]))
    const limit = this.#limitOf(config)

    const count = <T extends { readonly client: Client }>(found: T): T => {
      const wait = limit?.take(found.client.name)
      if (wait !== undefined) throw new RateLimitedError(wait, found.client.name)
      return found
    }
    const anyoneFor = (error: unknown): Authenticated => {
      if (config.allowAnonymous && error instanceof AuthenticationError && error.reason === 'missing') return ANYONE
      throw error
    }
    const find = (call: Call): Authenticated | Promise<Authenticated> => {
      if (isOpen) return ANYONE
      try {
        const found = authenticator.authenticate(call)
        return found instanceof Promise ? found.then(count, anyoneFor) : count(found)
      } catch (error) {
        return anyoneFor(error)
      }
    }
    /** While no credentials are required, a program on this machine may do everything, and a page in a browser nothing. */
    const findOperator = (call: Call): Authenticated | Promise<Authenticated> => {
      if (!isOpen || !isLocalCall(call)) return find(call)
      requireLocalCall(call)
      return LOCAL
    }

    const encryptors = new Encryptors()
    return {
      size: registered.length,
      signers: registered.flatMap(({ credentials }) => credentials).filter(({ method }) => method === 'signer').length,
      identify(call) {
        const found = find(call)
        return found instanceof Promise ? found.then((one) => encryptors.of(one)) : encryptors.of(found)
      },
      identifyOperator: async (call) => operatorOf(await findOperator(call), call),
      admitToMetrics(call) {
        const found = isOpen && isLocalCall(call) ? LOCAL : find(call)
        if (found instanceof Promise) return found.then(({ client }) => authorizeServerWide(client))
        return authorizeServerWide(found.client)
      },
      findSigner: async (...signed) => {
        const found = await this.#findSigner(...signed)
        if (typeof found === 'string') return found
        return asSigner(encryptors.of({ client: count(found).client, method: 'signer' }))
      },
      profileOf: (client) => profiles.get(client),
      enforce: () => {
        this.#clients.replace(registered)
        this.#hasServed = true
      },
    }
  }

  async #findSigner(
    name: string,
    request: Uint8Array,
    signature: Uint8Array,
  ): Promise<{ readonly client: Client } | NoSigner> {
    const found = this.#clients.find('signer', name)
    const signer = found === undefined ? this.#nobody : await this.#signers.of(found)
    const fits = verifyWidevineRequest(signer, request, signature)
    if (found === undefined) return 'unknown'
    return fits && isValidAt(found.credential, this.#options.now()) ? found : 'rejected'
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
}

/** Clients as encryptors, each made once for each of its methods. */
class Encryptors {
  readonly #made = new WeakMap<Client, Map<string, Encryptor>>()

  /** Throws ERR_FORBIDDEN for a client that may not request keys. */
  of({ client, method }: Authenticated): Encryptor {
    authorize(client, { scope: 'keys:issue' })
    const byMethod = this.#made.get(client) ?? new Map<string, Encryptor>()
    const known = byMethod.get(method)
    if (known !== undefined) return known
    const encryptor: Encryptor = {
      tenant: client.tenant,
      client: client.name,
      method,
      authorize: (contentId, recipientFingerprints) =>
        authorize(client, { scope: 'keys:issue', contentId, recipientFingerprints }),
    }
    this.#made.set(client, byMethod.set(method, encryptor))
    return encryptor
  }
}

/** The Widevine key API has no recipients: its keys leave in the clear. */
function asSigner({ tenant, client, authorize: authorizeContent }: Encryptor): WidevineCaller {
  return { tenant, client, authorize: (contentId) => authorizeContent(contentId, []) }
}

/** A client as an operator. */
function operatorOf({ client, method }: Authenticated, { address, requestId }: Call): ApiCaller {
  const { name, tenant, contentIds } = client
  return {
    operator: { tenant, actor: { method, id: name, address }, requestId },
    client: name,
    authorize: (intent) => authorize(client, intent),
    sees: contentIds && ((contentId) => contentIds.some((pattern) => matchesPattern(pattern, contentId))),
  }
}

/** The problems of the clients of the configuration and of the store together. */
function problemsOf(registered: readonly RegisteredClient[], config: Config, hasServed: boolean): readonly string[] {
  const problems = registered.flatMap(({ client: { name, signalingProfile } }) =>
    signalingProfile === undefined || config.signalingProfiles.has(signalingProfile)
      ? []
      : [`client ${JSON.stringify(name)}: no signalling profile has the name ${JSON.stringify(signalingProfile)}`],
  )
  // The last client of a running server may be removed: then every caller is rejected, that client too.
  if (registered.length === 0 && !config.loopback && !config.allowAnonymous && !hasServed) {
    problems.push(`host: ${NO_CALLERS}`)
  }
  try {
    createClientDirectory(registered)
  } catch (error) {
    if (!(error instanceof KeyProviderError && error.code === 'ERR_CONFIG_INVALID')) throw error
    problems.push(...error.message.split('\n'))
  }
  return problems
}

/** Why nobody signed: the name is not known, or the signature is wrong. */
export type NoSigner = 'unknown' | 'rejected'

/** Who signed a request, by the signers of the settings. */
export function findSigner(
  signers: readonly Signer[],
  name: string,
  request: Uint8Array,
  signature: Uint8Array,
): WidevineCaller | NoSigner {
  const known = signers.find((signer) => signer.name === name)
  if (known === undefined) return 'unknown'
  if (!verifyWidevineRequest(known.signer.reveal(), request, signature)) return 'rejected'
  const { tenant, contentIds } = known
  return {
    tenant,
    client: `signer ${name}`,
    authorize: (contentId) => {
      if (!contentIds.some((pattern) => matchesPattern(pattern, contentId))) throw new ForbiddenError('content')
    },
  }
}

/** The caller of an unsigned request, or of one whose signer nobody knows, where callers may be anonymous. */
export const ANONYMOUS_SIGNER: WidevineCaller = { tenant: 'default', client: 'anonymous', authorize: () => {} }
