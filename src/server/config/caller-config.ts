import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ReportProblem } from './fields.ts'
import { readSection, type Sections } from './schema.ts'

/** How callers prove who they are; what is not set is undefined as a whole. */
export interface Auth extends Readonly<Omit<Sections['auth'], 'jwt' | 'gateway'>> {
  readonly jwt: JwtSettings | undefined
  readonly gateway: Readonly<Sections['auth']['gateway']> | undefined
}
type WrittenJwt = Sections['auth']['jwt']
export type JwtSettings = Readonly<
  Pick<WrittenJwt, 'clientClaim' | 'algorithms'> & Record<'issuer' | 'audience' | 'jwks', string>
>

/** The certificate of the listener. */
export interface TlsSettings {
  readonly cert: string
  readonly key: string
  readonly clientCa: string | undefined
}

export interface AdminSettings {
  readonly host: string
  readonly port: number
}

export function toAuth({ jwt, gateway, ...auth }: Sections['auth'], report: ReportProblem): Auth {
  const { secretSha256, secretFiles, certificateFingerprints, callers } = gateway
  const knowsGateway = secretSha256.length + secretFiles.length + certificateFingerprints.length > 0
  if (callers.length > 0 && !knowsGateway) {
    report('auth.gateway.callers', 'no gateway is known: set auth.gateway.secretSha256 or another of its proofs')
  }
  return { ...auth, jwt: toJwt(jwt, report), gateway: knowsGateway ? gateway : undefined }
}

/** The client that stands for `auth.gateway.callers`. */
export function gatewayClients({ gateway }: Auth): Sections['clients'] {
  const callers = gateway?.callers ?? []
  if (callers.length === 0) return []
  const credentials = { gateway: callers.map((caller) => ({ caller })) }
  return readSection('clients', [{ name: 'gateway', credentials }]).value
}

/** Undefined: HTTP without TLS. */
export function toTls({ cert, key, clientCa }: Sections['tls'], report: ReportProblem): TlsSettings | undefined {
  if (cert !== undefined && key !== undefined) return { cert, key, clientCa }
  if (cert !== undefined) report('tls.key', 'is not set: the private key of tls.cert is needed too')
  if (key !== undefined) report('tls.cert', 'is not set: the certificate of tls.key is needed too')
  if (cert === undefined && key === undefined && clientCa !== undefined) {
    report('tls.clientCa', 'client certificates come with TLS alone: set tls.cert and tls.key')
  }
  return undefined
}

/** Undefined: no listener of its own. */
export function toAdmin({ host, port }: Sections['admin']): AdminSettings | undefined {
  return port === undefined ? undefined : { host, port }
}

function toJwt({ issuer, audience, jwks, ...jwt }: WrittenJwt, report: ReportProblem): JwtSettings | undefined {
  if (issuer !== undefined && audience !== undefined && jwks !== undefined) return { ...jwt, issuer, audience, jwks }
  if (issuer === undefined && audience === undefined && jwks === undefined) return undefined
  for (const [name, value] of Object.entries({ issuer, audience, jwks })) {
    if (value === undefined) report(`auth.jwt.${name}`, 'is not set: tokens need an issuer, an audience and a key set')
  }
  return undefined
}

/** Why a server that nobody has to authenticate to does not listen for other machines. */
export const NO_CALLERS =
  'other machines could ask for keys, and nobody has to authenticate: add a client (keyspring client add), or --allow-anonymous permits it'

/** Whether there may be clients beside those of the configuration: it is seen for sure when the store is open. */
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

/** What a method needs before any of its credentials can be checked, and what to say where that is not set. */
const NEEDS: Readonly<Partial<Record<string, readonly [has: (config: CallerSettings) => boolean, problem: string]>>> = {
  jwt: [({ auth }) => auth.jwt !== undefined, 'auth.jwt is not set: no token can be checked'],
  gateway: [({ auth }) => auth.gateway !== undefined, 'auth.gateway is not set: no gateway is known'],
  basic: [isEncrypted, 'neither tls nor trustProxy is set: passwords are taken over TLS only'],
  certificate: [
    ({ tls, trustProxy }) => tls?.clientCa !== undefined || trustProxy.length > 0,
    'neither tls.clientCa nor trustProxy is set: no certificate is ever seen',
  ],
}

/** Reports credentials that no request could ever prove under this configuration; `encrypted` says that all are read by nobody else. */
export function reportUncheckable(config: CallerSettings, encrypted: boolean, report: ReportProblem): void {
  for (const [i, { credentials }] of config.clients.entries()) {
    for (const [method, ofMethod] of Object.entries(credentials)) {
      const [has, problem] = NEEDS[method] ?? []
      const isCheckable = (encrypted && method === 'basic') || has?.(config) !== false
      if (ofMethod.length > 0 && !isCheckable && problem !== undefined) {
        report(`clients.${i}.credentials.${method}`, problem)
      }
    }
  }
  const { gateway } = config.auth
  if (gateway === undefined || encrypted || isEncrypted(config)) return
  for (const name of ['secretSha256', 'secretFiles', 'certificateFingerprints'] as const) {
    if (gateway[name].length === 0) continue
    report(`auth.gateway.${name}`, 'neither tls nor trustProxy is set: a gateway is believed over TLS only')
  }
}

function isEncrypted({ tls, trustProxy }: CallerSettings): boolean {
  return tls !== undefined || trustProxy.length > 0
}
