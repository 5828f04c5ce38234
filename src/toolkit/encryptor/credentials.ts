import { type AccessKey, type SigV4Scope, signSigV4 } from '../../auth/methods/sigv4-sign.ts'
import type { Secret } from '../../core/secret.ts'
import type { Authorizer } from './authorizer.ts'
import { digestAuthorizer } from './digest-authorizer.ts'

/** How to prove who asks. mTLS is of the connection and stands beside any of these. @see speke.md 11.1 */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly user: string; readonly password: Secret<string> }
  | { readonly kind: 'digest'; readonly user: string; readonly password: Secret<string> }
  | { readonly kind: 'bearer'; readonly token: Secret<string> }
  | { readonly kind: 'sigv4'; readonly accessKey: AccessKey; readonly scope: SigV4Scope }
export type CredentialsKind = Credentials['kind']

/** What an authorizer needs of the world. */
export interface AuthorizerWorld {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: (size: number) => Uint8Array
}

/** The authorizer of some credentials. */
export function authorizerOf(credentials: Credentials, world: AuthorizerWorld): Authorizer {
  switch (credentials.kind) {
    case 'none':
      return { headersFor: () => ({}) }
    case 'basic': {
      const pair = `${credentials.user}:${credentials.password.reveal()}`
      return constant(`Basic ${Buffer.from(pair).toString('base64')}`)
    }
    case 'bearer':
      return constant(`Bearer ${credentials.token.reveal()}`)
    case 'digest':
      return digestAuthorizer(credentials.user, credentials.password, world.randomBytes)
    case 'sigv4': {
      const { accessKey, scope } = credentials
      return { headersFor: (request) => signSigV4(request, accessKey, scope, world.now()) }
    }
  }
}

/** Whether who listens on the wire could use what is sent. Digest and SigV4 prove knowledge of a secret without sending it. */
export function sendsSecret({ kind }: Credentials): boolean {
  return kind === 'basic' || kind === 'bearer'
}

function constant(authorization: string): Authorizer {
  return { headersFor: () => ({ authorization }) }
}
