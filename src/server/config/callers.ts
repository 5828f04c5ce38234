import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CredentialMethod } from '../../auth/credentials/credential.ts'
import { AUTH_METHODS } from '../../auth/methods/methods.ts'
import { isLoopbackAddress } from '../../http/listener/private-listener.ts'
import type { ReportProblem } from './fields.ts'
import type { TlsSettings } from './files.ts'
import { readSection, type Sections } from './setting-list.ts'

/** How callers authenticate. A method that is not configured is undefined as a whole. */
export interface Auth extends Readonly<Omit<Sections['auth'], 'jwt' | 'gateway'>> {
  readonly jwt: JwtSettings | undefined
  readonly gateway: Readonly<Sections['auth']['gateway']> | undefined
}
type WrittenJwt = Sections['auth']['jwt']
type JwtSettings = Readonly<
  Pick<WrittenJwt, 'clientClaim' | 'algorithms'> & Record<'issuer' | 'audience' | 'jwks', string>
>

export interface AdminSettings {
  readonly host: string
  readonly port: number
}

export function toAuth({ jwt, gateway, ...auth }: Sections['auth'], report: ReportProblem): Auth {
  const { secretSha256, secretFiles, certificateFingerprints, callers } = gateway
  const knowsGateway = secretSha256.length + secretFiles.length + certificateFingerprints.length > 0
  if (callers.length > 0 && !knowsGateway) {
    report(
      'auth.gateway.callers',
      'no gateway is configured: set auth.gateway.secretSha256, secretFiles or certificateFingerprints',
    )
  }
  return { ...auth, jwt: toJwt(jwt, report), gateway: knowsGateway ? gateway : undefined }
}

/** The client of `auth.gateway.callers`. */
export function gatewayClients({ gateway }: Auth): Sections['clients'] {
  const callers = gateway?.callers ?? []
  if (callers.length === 0) return []
  const credentials = { gateway: callers.map((caller) => ({ caller })) }
  return readSection('clients', [{ name: 'gateway', credentials }]).value
}

/** Undefined: HTTP without TLS. */
export function toTls({ cert, key, clientCa }: Sections['tls'], report: ReportProblem): TlsSettings | undefined {
  if (cert !== undefined && key !== undefined) return { cert, key, clientCa }
  if (cert !== undefined) report('tls.key', 'is not set: tls.cert requires its private key')
  if (key !== undefined) report('tls.cert', 'is not set: tls.key requires its certificate')
  if (cert === undefined && key === undefined && clientCa !== undefined) {
    report('tls.clientCa', 'client certificates require TLS: set tls.cert and tls.key')
  }
  return undefined
}

/** Undefined: there is no second listener. */
export function toAdmin({ host, port }: Sections['admin']): AdminSettings | undefined {
  return port === undefined ? undefined : { host, port }
}

function toJwt({ issuer, audience, jwks, ...jwt }: WrittenJwt, report: ReportProblem): JwtSettings | undefined {
  if (issuer !== undefined && audience !== undefined && jwks !== undefined) return { ...jwt, issuer, audience, jwks }
  if (issuer === undefined && audience === undefined && jwks === undefined) return undefined
  for (const [name, value] of Object.entries({ issuer, audience, jwks })) {
    if (value === undefined)
      report(`auth.jwt.${name}`, 'is not set: tokens require an issuer, an audience and a key set')
  }
  return undefined
}

/** Why a server without clients does not start on a listener that is not private. */
export const NO_CALLERS =
  'other machines can ask for keys without a credential: add a client (keyspring client add), or allow it with --allow-anonymous'
/** Why a server does not start on a store whose clients were all removed. */
export const NO_CALLERS_LEFT =
  'this store had clients and has none now, so no caller can authenticate: add a client (keyspring client add), or allow anonymous callers with --allow-anonymous'

interface Reachability {
  readonly host: string
  readonly trustProxy: readonly string[]
  readonly publicUrl: string | undefined
  readonly runsAs?: 'function' | undefined
}

/**
 * Whether, by its configuration, only programs on this machine reach a listener: it has a loopback address, no proxy in front of
 * it, and no public URL.
 */
export function isPrivateListener({ host, trustProxy, publicUrl, runsAs }: Reachability): boolean {
  return isLoopbackAddress(host) && trustProxy.length === 0 && publicUrl === undefined && runsAs === undefined
}

/** Who is served: clients only; every program on this machine; or every caller. */
export type Access = 'clients' | 'private' | 'anonymous'

/** The access to a server. A store that has or ever had clients is never private. */
export function accessOf(
  { allowAnonymous, isPrivate }: { readonly allowAnonymous: boolean; readonly isPrivate: boolean },
  hadClients: boolean,
): Access {
  if (allowAnonymous) return 'anonymous'
  return isPrivate && !hadClients ? 'private' : 'clients'
}

/** Whether the store may hold clients. Only the open store knows for sure. */
export function mayHoldClients({ store, data }: { readonly store: string; readonly data: string }): boolean {
  if (store === 'memory') return false
  return store !== 'sqlite' || existsSync(join(data, 'keyspring.db'))
}

interface CallerSettings {
  readonly clients: Sections['clients']
  readonly auth: Auth
  readonly tls: TlsSettings | undefined
  readonly trustProxy: readonly string[]
}

/** Reports credentials that no request can use under this configuration. `encrypted`: every request arrives over TLS. */
export function reportUncheckable(config: CallerSettings, encrypted: boolean, report: ReportProblem): void {
  for (const [i, { credentials }] of config.clients.entries()) {
    for (const [method, ofMethod] of Object.entries(credentials)) {
      const problem = AUTH_METHODS[method as CredentialMethod].unusable?.(config)
      if (ofMethod.length === 0 || problem === undefined || (encrypted && method === 'basic')) continue
      report(`clients.${i}.credentials.${method}`, problem)
    }
  }
  const { gateway } = config.auth
  if (gateway === undefined || encrypted || isEncrypted(config)) return
  for (const name of ['secretSha256', 'secretFiles', 'certificateFingerprints'] as const) {
    if (gateway[name].length === 0) continue
    report(`auth.gateway.${name}`, 'neither tls nor trustProxy is set: Keyspring trusts a gateway only over TLS')
  }
}

function isEncrypted({ tls, trustProxy }: CallerSettings): boolean {
  return tls !== undefined || trustProxy.length > 0
}
