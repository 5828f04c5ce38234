import type { Client } from './clients/client.ts'
import { AuthenticationError, type AuthenticationFailure } from './failure.ts'
import { type AuthMethod, PLACES } from './method.ts'
import { isRepeated, type Presented } from './presented.ts'

/** The client that sent a request, and how it proved that. */
export interface Authenticated {
  readonly client: Client
  /** The name of the method. */
  readonly method: string
}

/**
 * Tells who is calling, at once where the method can. Throws, or rejects with, an AuthenticationError with the challenges of
 * every method.
 */
export type Authenticate = (presented: Presented) => Promise<Authenticated> | Authenticated

/** Asks the one method whose credential is presented. Two credentials at once are refused: which one counts would be a guess. */
export function createAuthenticate(methods: readonly AuthMethod[]): Authenticate {
  const byPlace = PLACES.map((place) => methods.filter((method) => method.place === place))

  const refuse = (presented: Presented, reason: AuthenticationFailure, method?: AuthMethod): AuthenticationError => {
    const challenges = methods.flatMap((one) => one.challenges?.(presented, one === method ? reason : undefined) ?? [])
    return new AuthenticationError(reason, method?.name, [...new Set(challenges)])
  }

  return (presented) => {
    const fail = (error: unknown, method: AuthMethod): never => {
      throw error instanceof AuthenticationError ? refuse(presented, error.reason, method) : error
    }
    for (const candidates of byPlace) {
      const [method, second] = candidates.filter((one) => one.recognizes(presented))
      if (method === undefined) continue
      if (second !== undefined) throw refuse(presented, 'ambiguous')
      if (method.place === 'request' && isRepeated(presented, 'authorization'))
        throw refuse(presented, 'ambiguous', method)
      try {
        const client = method.verify(presented)
        if (!(client instanceof Promise)) return { client, method: method.name }
        return client.then(
          (found) => ({ client: found, method: method.name }),
          (error: unknown) => fail(error, method),
        )
      } catch (error) {
        return fail(error, method)
      }
    }
    throw refuse(presented, 'missing')
  }
}
