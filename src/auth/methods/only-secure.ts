import { AuthenticationError } from '../failure.ts'
import type { AuthMethod } from '../method.ts'

/** The method, for requests that nobody on the way could read or write: what it takes could be taken by whoever listens. */
export function onlySecure(method: AuthMethod): AuthMethod {
  return {
    ...method,
    verify(presented) {
      if (!presented.secure) throw new AuthenticationError('insecure')
      return method.verify(presented)
    },
  }
}
