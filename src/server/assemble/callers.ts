import { randomBytes } from 'node:crypto'
import type { Authenticated, Authenticator } from '../../auth/authenticate.ts'
import {
  authorize,
  authorizeServerWide,
  type Client,
  type RegisteredClient,
  SCOPES,
} from '../../auth/clients/client.ts'
import type { OpenedSecrets } from '../../auth/clients/credential-secrets.ts'
import type { ClientDirectory } from '../../auth/clients/directory.ts'
import { isValidAt, type SignerCredential } from '../../auth/credentials/credential.ts'
import { AuthenticationError, ForbiddenError, RateLimitedError } from '../../auth/failure.ts'
import { aesSigner, verifyWidevineRequest, type WidevineSigner } from '../../auth/methods/widevine-signer.ts'
import type { RateLimit } from '../../auth/rate-limit.ts'
import { matchesPattern } from '../../core/glob.ts'
import type { Call } from '../../http/call.ts'
import type { ApiCaller, Encryptor } from '../../http/callers.ts'
import { isLocalCall, requireLocalCall } from '../../http/listener/private-listener.ts'
import type { WidevineCaller } from '../../protocols/widevine/get-content-key.ts'
import type { Access } from '../config/callers.ts'
import type { Config } from '../config/config.ts'
import type { Signer } from '../config/signers.ts'
import type { BootstrapToken } from './bootstrap-token.ts'

interface CallersOptions {
  readonly config: Config
  readonly access: Access
  readonly registered: readonly RegisteredClient[]
  readonly clients: ClientDirectory
  readonly authenticator: Authenticator
  /** Undefined: clients may send any number of requests. */
  readonly limit: RateLimit | undefined
  readonly signers: OpenedSecrets<SignerCredential, WidevineSigner>
  /** Opens management while there are no clients; undefined: there are, or management is off. */
  readonly bootstrapToken: BootstrapToken | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
}

const ANONYMOUS: Authenticated = {
  method: 'anonymous',
  client: { name: 'anonymous', tenant: 'default', scopes: ['keys:issue'] },
}
/** The holder of the bootstrap token, or a program on this machine that reads metrics. */
const LOCAL: Authenticated = { ...ANONYMOUS, client: { ...ANONYMOUS.client, scopes: SCOPES } }
const ANONYMOUS_SIGNER: WidevineCaller = { tenant: 'default', client: 'anonymous', authorize: () => {} }
const BOOTSTRAP_CHALLENGE = 'Bearer realm="keyspring management"'

/** The callers that a server accepts under one configuration. */
export class Callers {
  readonly config: Config
  readonly access: Access
  readonly registered: readonly RegisteredClient[]
  /** The file of the token for management; undefined if management requires a client, or is off. */
  readonly bootstrapFile: string | undefined
  /** The number of Widevine signers among the credentials of clients. */
  readonly signers: number
  readonly #options: CallersOptions
  readonly #hasNoClients: boolean
  readonly #profiles: ReadonlyMap<string, string | undefined>
  readonly #configuredSigners: ReadonlyMap<string, Signer>
  readonly #unknownSigner = aesSigner(randomBytes(32), randomBytes(16))
  readonly #made = new WeakMap<Client, Map<string, Encryptor>>()

  constructor(options: CallersOptions) {
    const { config, access, registered, bootstrapToken } = options
    this.config = config
    this.access = access
    this.registered = registered
    this.bootstrapFile = bootstrapToken?.file
    this.signers = registered
      .flatMap(({ credentials }) => credentials)
      .filter(({ method }) => method === 'signer').length
    this.#options = options
    this.#hasNoClients = access !== 'clients' && registered.length === 0
    this.#profiles = new Map(registered.map(({ client }) => [client.name, client.signalingProfile]))
    this.#configuredSigners = new Map(config.widevine.signers.map((signer) => [signer.name, signer]))
  }

  /** The number of clients; 0: no request needs a credential, unless `access` is `clients`. */
  get size(): number {
    return this.registered.length
  }

  /** Identifies the sender of a call as an encryptor. Throws, or rejects with, the reason to reject the call. */
  readonly identify = (call: Call): Encryptor | Promise<Encryptor> => {
    const found = this.#find(call)
    return found instanceof Promise ? found.then((one) => this.#encryptorOf(one)) : this.#encryptorOf(found)
  }

  /** Identifies the sender of a call as an operator. Rejects with the reason to reject the call. */
  readonly identifyOperator = async (call: Call): Promise<ApiCaller> => {
    const { method, client } = await this.#findOperator(call)
    const { name, tenant, contentIds } = client
    const isAnonymous = this.#hasNoClients && client === ANONYMOUS.client && isLocalCall(call)
    return {
      operator: { tenant, actor: { method, id: name, address: call.address }, requestId: call.requestId },
      client: name,
      authorize(intent) {
        // Without clients, a request can be repeated with the bootstrap token: 401, not 403.
        if (isAnonymous && intent.scope !== 'keys:issue') {
          throw new AuthenticationError('missing', undefined, [BOOTSTRAP_CHALLENGE])
        }
        authorize(client, intent)
      },
      sees: contentIds && ((contentId) => contentIds.some((pattern) => matchesPattern(pattern, contentId))),
    }
  }

  /** Throws, or rejects, unless the sender of a call may read the metrics of every tenant. */
  readonly admitToMetrics = (call: Call): void | Promise<void> => {
    const found = this.#hasNoClients && isLocalCall(call) ? LOCAL : this.#find(call)
    if (found instanceof Promise) return found.then(({ client }) => authorizeServerWide(client))
    return authorizeServerWide(found.client)
  }

  /** Whether a request of the Widevine key API can succeed at all. */
  get servesWidevine(): boolean {
    return this.signers + this.#configuredSigners.size > 0 || this.#admitsUnknownSigners
  }

  /** Identifies the signer of a request of the Widevine key API; undefined if the signature does not prove it. */
  async authenticateSigner(
    name: string,
    request: Uint8Array,
    signature: Uint8Array,
  ): Promise<WidevineCaller | undefined> {
    const { clients, signers, now } = this.#options
    const found = clients.find('signer', name)
    const configured = this.#configuredSigners.get(name)
    const signer = found === undefined ? this.#unknownSigner : await signers.of(found)
    const fits = verifyWidevineRequest(signer, request, signature)
    if (found !== undefined && fits && isValidAt(found.credential, now())) {
      return withoutRecipients(this.#encryptorOf({ client: this.#count(found).client, method: 'signer' }))
    }
    if (configured !== undefined && verifyWidevineRequest(configured.signer.reveal(), request, signature)) {
      return signerCaller(configured)
    }
    // A known name with a wrong signature is never anonymous.
    const isUnknown = found === undefined && configured === undefined
    return isUnknown && this.#admitsUnknownSigners ? ANONYMOUS_SIGNER : undefined
  }

  /** The signalling profile of a client; undefined if it has none of its own. */
  profileOf(client: string): string | undefined {
    return this.#profiles.get(client)
  }

  get #admitsUnknownSigners(): boolean {
    return this.access === 'anonymous' || (this.access === 'private' && this.#configuredSigners.size === 0)
  }

  #find(call: Call): Authenticated | Promise<Authenticated> {
    if (this.#hasNoClients) return ANONYMOUS
    try {
      const found = this.#options.authenticator.authenticate(call)
      if (!(found instanceof Promise)) return this.#count(found)
      return found.then(
        (one) => this.#count(one),
        (error: unknown) => this.#anonymousAfter(error),
      )
    } catch (error) {
      return this.#anonymousAfter(error)
    }
  }

  #findOperator(call: Call): Authenticated | Promise<Authenticated> {
    const { bootstrapToken } = this.#options
    if (!this.#hasNoClients || !isLocalCall(call)) return this.#find(call)
    requireLocalCall(call)
    const { authorization } = call.headers
    if (authorization === undefined) return ANONYMOUS
    if (bootstrapToken?.isIn(authorization)) return LOCAL
    throw new AuthenticationError('mismatch', 'token', [BOOTSTRAP_CHALLENGE])
  }

  #anonymousAfter(error: unknown): Authenticated {
    const isMissing = error instanceof AuthenticationError && error.reason === 'missing'
    if (this.access === 'anonymous' && isMissing) return ANONYMOUS
    throw error
  }

  #count<T extends { readonly client: Client }>(found: T): T {
    const wait = this.#options.limit?.take(found.client.name)
    if (wait !== undefined) throw new RateLimitedError(wait, found.client.name)
    return found
  }

  /** A client as an encryptor; made once for each of its methods. */
  #encryptorOf({ client, method }: Authenticated): Encryptor {
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
function withoutRecipients({ tenant, client, authorize: authorizeContent }: Encryptor): WidevineCaller {
  return { tenant, client, authorize: (contentId) => authorizeContent(contentId, []) }
}

function signerCaller({ name, tenant, contentIds }: Signer): WidevineCaller {
  return {
    tenant,
    client: `signer ${name}`,
    authorize(contentId) {
      if (!contentIds.some((pattern) => matchesPattern(pattern, contentId))) throw new ForbiddenError('content')
    },
  }
}
