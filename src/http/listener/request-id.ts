import { randomBytes } from 'node:crypto'

const CALLERS_OWN = /^[A-Za-z0-9._-]{1,128}$/
const PROCESS = randomBytes(6).toString('hex')
let count = 0

/** The id of a request: the caller's where it can stand in a log as it is, else one that no other request has. */
export function requestIdOf(header: string | string[] | undefined): string {
  if (typeof header === 'string' && CALLERS_OWN.test(header)) return header
  count += 1
  return `${PROCESS}-${count.toString(36)}`
}
