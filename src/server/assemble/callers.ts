import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { type Authenticated, createAuthenticate } from '../../auth/authenticate.ts'
import { authorize, type Client, type Intent, SCOPES } from '../../auth/clients/client.ts'
import { createCredentialSecrets, openOnce } from '../../auth/clients/credential-secrets.ts'
import { createClientDirectory } from '../../auth/clients/directory.ts'
import type { ClientStore, RegisteredClient } from '../../auth/clients/store.ts'
import { isValidAt, type SignerCredential } from '../../auth/credentials/credential.ts'
import { AuthenticationError, ForbiddenError } from '../../auth/failure.ts'
import {
  aesSigner,
  decodeWidevineSigner,
  verifyWidevineRequest,
  type WidevineSigner,
} from '../../auth/methods/widevine-signer.ts'
import { createRateLimit, type RateLimit } from '../../auth/rate-limit.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { matchesPattern } from '../../core/glob.ts'
import type { ApiCaller, IdentifyOperator } from '../../http/api/caller.ts'
import type { Call } from '../../http/call.ts'
import { RateLimitedError } from '../../http/errors.ts'
import { clientAddress, isLocalCall, onlyLocalCalls, proxyAmong, wasInTheClear } from '../../http/listener/loopback.ts'
import type { Caller } from '../../http/routes/copy-protection.ts'
import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import type { AuthenticateSigner } from '../../protocols/widevine/get-content-key.ts'
import { NO_CALLERS } from '../config/callers.ts'
import type { Config } from '../config/config.ts'
import type { Signer } from '../config/signers.ts'
import { authMethods } from './auth-methods.ts'
import { toRegisteredClients } from './configured-clients.ts'

/** Who may call, under one configuration. */
export interface Callers {
  /** How many clients there are; 0: nobody has to authenticate. */
  readonly size: number
  /** How many of their credentials are signers of the Widevine key API. */
  readonly signers: number
  /** Who sent a call, as an encryptor: one that asks for keys. Throws, or rejects with, what refuses it. */
  readonly identify: (call: Call) => Caller | Promise<Caller>
  /** Who sent a call, as an operator. */
  readonly identifyOperator: IdentifyOperator
  /** Throws, or rejects, unless the sender of a call may do what it intends. */
  readonly admit: (call: Call, intent: Intent) => void | Promise<void>
  /** Who signed a request of the Widevine key API. */
  readonly authenticateSigner: AuthenticateSigner
  /** The signalling profile that a client has of its own. */
  readonly profileOf: (client: string) => string | undefined
  /** Puts these callers in the place of those before. Cannot fail. */
  enforce(): void
}

/** Reads who may call: from the configuration and the store. Rejects with ERR_CONFIG_INVALID and every problem. */
export type LoadCallers = (config: Config) => Promise<Callers>

export interface LoadCallersOptions {
  readonly store: Pick<ClientStore, 'listClients'>
  readonly dataKeys: DataKeys
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Where keys that belong to no tenant's content are kept. */
const SERVER_TENANT = 'default'
const NONCE_LABEL = 'keyspring/digest-nonce/v1'
const ANYONE: Authenticated = {
  method: 'anonymous',
  client: { name: 'anonymous', tenant: 'default', scopes: ['keys:issue'] },
}
/** A program on this machine, while nobody has to authenticate. */
const LOCAL: Authenticated = { ...ANYONE, client: { ...ANYONE.client, scopes: SCOPES } }

/** The callers of a server; what they have proven outlasts a reload. */
export function callersFrom({ store, dataKeys, now }: LoadCallersOptions): LoadCallers {
  const secrets = createCredentialSecrets({ dataKeys, randomBytes })
  const clients = createClientDirectory()
  const nonceKey = async () => {
    const { key } = await dataKeys.current(SERVER_TENANT)
    return createSecretKey(createHmac('sha256', key).update(NONCE_LABEL).digest())
  }
  const methodsFor = authMethods({ clients, secrets, nonceKey, now, randomBytes })
  const openSigner = openOnce<SignerCredential, WidevineSigner>(secrets, (clear, { kind }) =>
    decodeWidevineSigner(kind, clear),
  )
  const nobody = aesSigner(randomBytes(32), randomBytes(16))
  let hasServed = false
  let limit: { readonly of: string; readonly take: RateLimit['take'] } | undefined

  const registeredOf = async (config: Config, report: (path: string, problem: string) => void) => {
    const { realm, jwt } = config.auth
    const written = await toRegisteredClients(config.clients, {
      secrets,
      randomBytes,
      realm,
      issuer: jwt?.issuer,
      report,
    })
    return [...written, ...(await store.listClients())]
  }

  const limitOf = ({ limits }: Config): RateLimit['take'] => {
    const { clientRequestsPerSecond: perSecond, clientBurst: burst } = limits
    if (perSecond === 0) return () => undefined
    const of = `${perSecond} ${burst}`
    if (limit?.of !== of) limit = { of, take: createRateLimit({ perSecond, burst, now: () => performance.now() }).take }
    return limit.take
  }

  return async (config) => {
    const problems: string[] = []
    const report = (path: string, problem: string): void => void problems.push(`${path}: ${problem}`)
    const registered = await registeredOf(config, report)
    // Tells what is wrong with them before they take the place of the others.
    problems.push(...problemsOf(registered, config, hasServed))
    const inUse = new Set(registered.flatMap(({ credentials }) => credentials.map(({ method }) => method)))
    const methods = await methodsFor(config, inUse, report)
    if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', problems.join('\n'))

    const isOpen = registered.length === 0 && (config.loopback || config.allowAnonymous)
    const authenticate = createAuthenticate(methods)
    const take = limitOf(config)
    const isTrustedProxy = proxyAmong(config.trustProxy)
    const addressOf = clientAddress(config.trustProxy)
    const profiles = new Map(registered.map(({ client }) => [client.name, client.signalingProfile]))

    const count = <T extends { readonly client: Client }>(found: T): T => {
      const wait = take(found.client.name)
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
        const found = authenticate(isTrustedProxy(call.peer) && !wasInTheClear(call) ? { ...call, secure: true } : call)
        return found instanceof Promise ? found.then(count, anyoneFor) : count(found)
      } catch (error) {
        return anyoneFor(error)
      }
    }
    /** Nobody has to authenticate: then a program on this machine, and no page in a browser there, may do everything. */
    const onlyLocal = onlyLocalCalls([])
    const findOperator = (call: Call): Authenticated | Promise<Authenticated> => {
      if (!isOpen || !isLocalCall(call)) return find(call)
      onlyLocal(call)
      return LOCAL
    }

    const asCaller = callerOf()
    return {
      size: registered.length,
      signers: registered.flatMap(({ credentials }) => credentials).filter(({ method }) => method === 'signer').length,
      identify(call) {
        const found = find(call)
        return found instanceof Promise ? found.then(asCaller) : asCaller(found)
      },
      async identifyOperator(call) {
        return operatorOf(await findOperator(call), addressOf(call), call.requestId)
      },
      admit(call, intent) {
        if (isOpen && isLocalCall(call)) return authorize(LOCAL.client, intent)
        const found = find(call)
        if (found instanceof Promise) return found.then(({ client }) => authorize(client, intent))
        return authorize(found.client, intent)
      },
      async authenticateSigner(name, request, signature) {
        const found = clients.find('signer', name)
        const signer = found === undefined ? nobody : await openSigner(found)
        const fits = verifyWidevineRequest(signer, request, signature)
        if (found === undefined || !fits || !isValidAt(found.credential, now())) return undefined
        return asCaller({ client: count(found).client, method: 'signer' })
      },
      profileOf: (client) => profiles.get(client),
      enforce() {
        clients.replace(registered)
        hasServed = true
      },
    }
  }
}

/** What a client may ask for as an encryptor; made once for each of its methods. */
function callerOf(): (found: Authenticated) => Caller {
  const made = new WeakMap<Client, Map<string, Caller>>()
  return ({ client, method }) => {
    authorize(client, { scope: 'keys:issue' })
    const byMethod = made.get(client) ?? new Map<string, Caller>()
    const known = byMethod.get(method)
    if (known !== undefined) return known
    const caller: Caller = {
      tenant: client.tenant,
      client: client.name,
      method,
      authorize: (contentId, recipientFingerprints = []) =>
        authorize(client, { scope: 'keys:issue', contentId, recipientFingerprints }),
    }
    made.set(client, byMethod.set(method, caller))
    return caller
  }
}

/** What a client may ask for as an operator. */
function operatorOf({ client, method }: Authenticated, address: string, requestId: string): ApiCaller {
  const { name, tenant, contentIds } = client
  return {
    operator: { tenant, actor: { method, id: name, address }, requestId },
    client: name,
    authorize: (intent) => authorize(client, intent),
    sees: contentIds && ((contentId) => contentIds.some((pattern) => matchesPattern(pattern, contentId))),
  }
}

/** What is wrong with the clients of the configuration and of the store, taken together. */
function problemsOf(registered: readonly RegisteredClient[], config: Config, hasServed: boolean): readonly string[] {
  const problems = registered.flatMap(({ client: { name, signalingProfile } }) =>
    signalingProfile === undefined || config.signalingProfiles.has(signalingProfile)
      ? []
      : [`client ${JSON.stringify(name)}: no signalling profile has the name ${JSON.stringify(signalingProfile)}`],
  )
  // Of a server that runs the last client may be removed: then everybody is refused, that one too.
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

/** Identifies the sender by `signers`; with `anyone` a signer of an unknown name is anonymous. */
export function authenticateSigners(signers: readonly Signer[], anyone: boolean): AuthenticateSigner {
  const byName = new Map(signers.map((signer) => [signer.name, signer]))
  return (name, request, signature) => {
    const known = byName.get(name)
    if (known === undefined || !verifyWidevineRequest(known.signer.reveal(), request, signature)) {
      return known === undefined && anyone ? ANONYMOUS_SIGNER : undefined
    }
    const { tenant, contentIds } = known
    return {
      tenant,
      client: `signer ${name}`,
      authorize: (contentId) => {
        if (!contentIds.some((pattern) => matchesPattern(pattern, contentId))) throw new ForbiddenError('content')
      },
    }
  }
}

const ANONYMOUS_SIGNER = { tenant: 'default', client: 'anonymous', authorize: () => {} }
