import type { Target } from './target.ts'

/** What came back: a status, or 0 when the connection was closed without one. */
export interface Outcome {
  readonly status: number
  /** Head and body. */
  readonly text: string
  /** By which the log tells how long the server took. */
  readonly requestId?: string | undefined
}

/** One attack. */
export interface Attack {
  readonly name: string
  /** The statuses that are right; 0: closed without a word. */
  readonly expected: readonly number[]
  readonly send: (target: Target) => Promise<Outcome>
  /** What is wrong with an outcome of a right status. */
  readonly problem?: (outcome: Outcome, target: Target) => string | undefined
  /** It takes long because its sender does: no limit on the server's time. */
  readonly slow?: boolean
}

export interface Group {
  readonly name: string
  readonly attacks: readonly Attack[]
}
