/** A request that is about to be sent. */
export interface Outgoing {
  readonly method: string
  /** Path and query as on the request line. */
  readonly rawPath: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Makes the headers that prove who asks. */
export interface Authorizer {
  headersFor(request: Outgoing): Readonly<Record<string, string>>
  /** Takes the challenges of a 401; true when it can now answer them and the request is worth sending again. */
  takeChallenges?(challenges: readonly string[]): boolean
}
