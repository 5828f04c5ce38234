import { KeyProviderError } from '../../../core/errors.ts'

/** The remedy for an SQLSTATE or its class. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const REMEDIES: Readonly<Record<string, string>> = {
  '08': 'the connection broke: check the network and the database server',
  '28': 'the database rejects the user: check user, password and pg_hba.conf',
  '3D000': 'the database does not exist: create it, then run `keyspring store migrate`',
  '40': 'too many transactions conflict: retry',
  '42501': 'the user lacks permission: grant it SELECT, INSERT, UPDATE and DELETE on the keyspring tables',
  '42P01': 'the keyspring tables do not exist: run `keyspring store migrate`',
  '53100': 'the disk of the database is full: free some space; known contents are still answered',
  '53300': 'the database accepts no more connections: raise max_connections, or lower postgres.connections',
  '57014': 'a statement took longer than postgres.statementTimeoutMs: check the load and the disk of the database',
  '57P': 'the database server is stopping or starting',
  '25006': 'the database is read-only: name the primary, not a replica',
}

const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: check host and port, and whether the database runs',
  ENOTFOUND: 'DNS has no address for its host: check the host name',
  EAI_AGAIN: 'DNS does not answer for its host: check DNS',
  ETIMEDOUT: 'it does not answer in time: check the network',
  ECONNRESET: 'the connection broke: check the network and the database server',
  EPIPE: 'the connection broke: check the network and the database server',
}

/** The SQLSTATE, or the network error code, of an error of the driver. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Whether the server itself returned the error, so that the connection is still usable. */
export function isAnswered(error: unknown): boolean {
  const code = codeOf(error)
  return code !== undefined && SQLSTATE.test(code) && !isConnectionLoss(error)
}

/** Whether the statement may have run although no answer arrived. Only repeatable statements are retried then. */
export function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error)
  if (code === undefined)
    return error instanceof Error && /connection (terminated|ended)|read timeout/i.test(error.message)
  return code in NETWORK || code.startsWith('08') || code.startsWith('57P')
}

/** Whether the database rolled the statement back because of concurrent ones. It can be retried unchanged. */
export function isContention(error: unknown): boolean {
  const code = codeOf(error)
  return code === '40001' || code === '40P01'
}

/** The error for every failure of the database `name`. The driver's message is kept as the cause only. */
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
