import { KeyProviderError } from '../../../core/errors.ts'

/** What to do about an SQLSTATE, or about its class. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const REMEDIES: Readonly<Record<string, string>> = {
  '08': 'the connection broke: check the network and the database server',
  '28': 'the database refuses the user: check user, password and pg_hba.conf',
  '3D000': 'there is no such database: create it, then run `keyspring store migrate`',
  '40': 'too many transactions are in each other’s way: ask again',
  '42501': 'the user may not do this: grant it SELECT, INSERT, UPDATE and DELETE on the keyspring tables',
  '42P01': 'it has no keyspring tables: run `keyspring store migrate`',
  '53100': 'the disk of the database is full: make room; contents that have keys already are answered meanwhile',
  '53300': 'the database takes no more connections: raise max_connections, or lower postgres.connections',
  '57014': 'a statement took longer than postgres.statementTimeoutMs: check the load and the disk of the database',
  '57P': 'the database server is stopping or starting',
  '25006': 'the database is read-only: name the primary, not a replica',
}

const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: check host and port, and whether the database runs',
  ENOTFOUND: 'its host has no address: check the host',
  EAI_AGAIN: 'its host has no address just now: check DNS',
  ETIMEDOUT: 'it does not answer in time: check the network',
  ECONNRESET: 'the connection broke: check the network and the database server',
  EPIPE: 'the connection broke: check the network and the database server',
}

/** The SQLSTATE or the network's code of something thrown by the driver. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Whether the server itself answered with an error: the connection is good still. */
export function isAnswered(error: unknown): boolean {
  const code = codeOf(error)
  return code !== undefined && SQLSTATE.test(code) && !isConnectionLoss(error)
}

/** Whether the statement may have been done although nobody said so: only what can be repeated is tried again. */
export function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error)
  if (code === undefined)
    return error instanceof Error && /connection (terminated|ended)|read timeout/i.test(error.message)
  return code in NETWORK || code.startsWith('08') || code.startsWith('57P')
}

/** Whether the database undid the statement because of others: it can be tried again as it was. */
export function isContention(error: unknown): boolean {
  const code = codeOf(error)
  return code === '40001' || code === '40P01'
}

/** The one error of whatever keeps the database `name` from its work. The driver's message is kept as the cause alone. */
export function databaseUnavailable(name: string, cause: unknown): KeyProviderError {
  const code = codeOf(cause)
  const remedy =
    code === undefined
      ? 'it does not answer in time: check the network and the load of the database'
      : (NETWORK[code] ??
        REMEDIES[code] ??
        REMEDIES[code.slice(0, 3)] ??
        REMEDIES[code.slice(0, 2)] ??
        `it answers ${code}: see its log`)
  return new KeyProviderError('ERR_STORE_UNAVAILABLE', `the store ${name} does not answer: ${remedy}`, { cause })
}

const SQLSTATE = /^[0-9A-Z]{5}$/
