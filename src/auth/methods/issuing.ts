import { KeyProviderError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import type { IssueCredentialOptions, IssuedCredential } from './definition.ts'

/** The ID of a new credential. `what` describes it to an operator who gave none. */
export function idOf({ id }: IssueCredentialOptions, what: string): string {
  if (id === undefined) throw missing(`--id: ${what}`)
  // A colon ends the user name of Basic, and quotes end that of Digest.
  if (!/^[^\s"\\\p{Cc}]{1,2048}$/u.test(id)) throw missing(`--id: ${what}, without spaces, quotes and backslashes`)
  return id
}

/** The given password, or a new one: 192 random bits, in characters that every configuration page accepts. */
export function passwordOf({ password, randomBytes }: IssueCredentialOptions): Secret<string> {
  return password ?? new Secret(Buffer.from(randomBytes(24)).toString('base64url'))
}

export function userAnd(user: string, password: Secret<string>): IssuedCredential['shown'] {
  return [
    ['user', user],
    ['password', password],
  ]
}

export function missing(what: string): KeyProviderError {
  return new KeyProviderError('ERR_CONFIG_INVALID', `expected ${what}`)
}
