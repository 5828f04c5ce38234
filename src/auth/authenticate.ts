import type { Client } from './clients/client.ts'
import { AuthenticationError, type AuthenticationFailure } from './failure.ts'
import { isRepeated, type Presented } from './presented.ts'

/**
 * Where a credential is, the strongest place first. A gateway that authenticated itself speaks for its caller. A credential
 * in the request goes before the certificate of the connection, which may be a proxy's.
 */
const PLACES = ['gateway', 'request', 'connection'] as const

/** One way to authenticate. `methods/methods.ts` says how to add one. */
export interface AuthMethod {
  readonly name: string
  readonly place: (typeof PLACES)[number]
  /** The values of WWW-Authenticate for this method. `failure` is why the caller's own attempt failed. */
  challenges?(presented: Presented, failure?: AuthenticationFailure): readonly string[]
  /** Whether a credential of this method is presented, be it valid or not. */
  recognizes(presented: Presented): boolean
  /** A gateway leaves this credential in the request after it verified the credential itself. */
  isLeftByGateway?(presented: Presented): boolean
  /** The client of the credential. It judges the head before it reads the body. Throws an AuthenticationError. */
  verify(presented: Presented): Promise<Client> | Client
}

/** The client that sent a request, and how it authenticated. */
export interface Authenticated {
  readonly client: Client
  /** The name of the method. */
  readonly method: string
}

/** Finds the client that sent a request, by the methods that are in use. */
export class Authenticator {
  readonly #methods: readonly AuthMethod[]
  readonly #byPlace: readonly (readonly AuthMethod[])[]

  constructor(methods: readonly AuthMethod[]) {
    this.#methods = methods
    this.#byPlace = PLACES.map((place) => methods.filter((method) => method.place === place))
  }

  /**
   * The client of the one credential that is presented. Two credentials at once are rejected: which one counts would be a
   * guess. Throws, or rejects with, an AuthenticationError with the challenges of every method.
   */
  authenticate(presented: Presented): Promise<Authenticated> | Authenticated {
    const method = this.#methodOf(presented)
    const { name } = method
    try {
      const client = method.verify(presented)
      if (!(client instanceof Promise)) return { client, method: name }
      return client.then(
        (found) => ({ client: found, method: name }),
        (error: unknown) => this.#fail(error, presented, method),
      )
    } catch (error) {
      return this.#fail(error, presented, method)
    }
  }

  /** The method of the presented credential. */
  #methodOf(presented: Presented): AuthMethod {
    for (const candidates of this.#byPlace) {
      const [method, second] = candidates.filter((one) => one.recognizes(presented))
      if (method === undefined) continue
      const isSecond = method.place === 'gateway' && this.#hasOwnCredential(presented)
      if (second !== undefined || isSecond) throw this.#error(presented, 'ambiguous')
      if (method.place === 'request' && isRepeated(presented, 'authorization')) {
        throw this.#error(presented, 'ambiguous', method)
      }
      return method
    }
    throw this.#error(presented, 'missing')
  }

  /** The caller behind a gateway presents a credential of its own, which the gateway did not verify. */
  #hasOwnCredential(presented: Presented): boolean {
    return this.#methods.some(
      (one) => one.place === 'request' && one.recognizes(presented) && one.isLeftByGateway?.(presented) !== true,
    )
  }

  #fail(error: unknown, presented: Presented, method: AuthMethod): never {
    throw error instanceof AuthenticationError ? this.#error(presented, error.reason, method) : error
  }

  #error(presented: Presented, reason: AuthenticationFailure, method?: AuthMethod): AuthenticationError {
    const challenges = this.#methods.flatMap(
      (one) => one.challenges?.(presented, one === method ? reason : undefined) ?? [],
    )
    return new AuthenticationError(reason, method?.name, [...new Set(challenges)])
  }
}
