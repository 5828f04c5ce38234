import type { CredentialMethod } from '../credentials/credential.ts'
import { basicMethod } from './basic.ts'
import { tokenMethod } from './bearer-token.ts'
import type { IssueCredentialOptions, IssuedCredential, MethodDefinition } from './definition.ts'
import { digestMethod } from './digest.ts'
import { gatewayMethod } from './gateway.ts'
import { jwtMethod } from './jwt.ts'
import { certificateMethod } from './mtls.ts'
import { sigV4Method } from './sigv4.ts'
import { signerMethod } from './widevine-signer.ts'

/**
 * Every method of authentication, the strongest challenge first. Configuration, `keyspring client`, stores and server read
 * this table. To add a method: write one file that exports its definition, add one line here, and add the shape of its
 * credential to `credentials/credential.ts`, where the compiler finds everything else.
 */
export const AUTH_METHODS: { readonly [M in CredentialMethod]: MethodDefinition<M> } = {
  gateway: gatewayMethod,
  token: tokenMethod,
  jwt: jwtMethod,
  sigv4: sigV4Method,
  digest: digestMethod,
  basic: basicMethod,
  certificate: certificateMethod,
  signer: signerMethod,
}

/** The names of the methods, in the order of the table. */
export const CREDENTIAL_METHODS = Object.keys(AUTH_METHODS) as readonly CredentialMethod[]

/** Makes a credential of a client. Throws ERR_CONFIG_INVALID if something is missing that the method requires. */
export function issueCredential(options: IssueCredentialOptions): Promise<IssuedCredential> {
  return AUTH_METHODS[options.method].issue(options)
}
