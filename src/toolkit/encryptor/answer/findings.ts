/** Collects every problem of an answer: its place and the rule it breaks, never a value of the document. */
export interface Findings {
  problem(place: string, rule: string): void
  warning(place: string, rule: string): void
}
