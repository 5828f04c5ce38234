import type { Client } from './client.ts'
import { AuthenticationError, type AuthenticationFailure } from './failure.ts'
import { type AuthMethod, PLACES } from './method.ts'
import { isRepeated, type Presented } from './presented.ts'

/** The client that sent a request, and how it proved that. */
export interface Authenticated {
  readonly client: Client
  /** The name of the method. */
  readonly method: string
}

/** Tells who is calling. Throws an AuthenticationError with the challenges of every method. */
export type Authenticate = (presented: Presented) => Promise<Authenticated>

/** Asks the one method whose credential is presented. Two credentials at once are refused: which one counts would be a guess. */
export function createAuthenticate(methods: readonly AuthMethod[]): Authenticate {
  const byPlace = PLACES.map((place) => methods.filter((method) => method.place === place))

  const refuse = (presented: Presented, reason: AuthenticationFailure, method?: AuthMethod): AuthenticationError => {
    const challenges = methods.flatMap((one) => one.challenges?.(presented, one === method ? reason : undefined) ?? [])
    return new AuthenticationError(reason, method?.name, [...new Set(challenges)])
  }

  return async (presented) => {
    for (const candidates of byPlace) {
      const recognizing = candidates.filter((method) => method.recognizes(presented))
      const [method, second] = recognizing
      if (method === undefined) continue
      if (second !== undefined) throw refuse(presented, 'ambiguous')
      if (method.place === 'request' && isRepeated(presented, 'authorization'))
        throw refuse(presented, 'ambiguous', method)
      try {
        return { client: await method.verify(presented), method: method.name }
      } catch (error) {
        throw error instanceof AuthenticationError ? refuse(presented, error.reason, method) : error
      }
    }
    throw refuse(presented, 'missing')
  }
}
