/** Gathers what is wrong with an answer: all of it, not the first thing. Places and rules, never values. */
export interface Findings {
  problem(place: string, rule: string): void
  warning(place: string, rule: string): void
}
