import { type ErrorCode, KeyProviderError } from '../../core/errors.ts'
import type { AuditedOperation, Management, Operator } from '../management.ts'
import type { AuditAction, AuditEntry } from '../ports/audit.ts'

/** The result of an operation, and what its second record adds to the first. */
interface Audited<T> {
  readonly result: T
  readonly also?: Partial<AuditedOperation> | undefined
}

/**
 * Returns the result of `act`, and writes a record before and after it. Throws ERR_AUDIT_UNAVAILABLE if the first record
 * cannot be written; then `act` is not called. Throws ERR_AUDIT_UNAVAILABLE if the second cannot be written, so that no key
 * is given out unrecorded. Otherwise throws what `act` throws.
 */
export async function audited<T>(
  { audit }: Pick<Management, 'audit'>,
  { tenant, actor, requestId }: Operator,
  operation: AuditedOperation,
  act: () => Promise<Audited<T>>,
): Promise<T> {
  const entry: Omit<AuditEntry, 'outcome'> = { ...operation, tenant, actor, requestId }
  await audit.write({ ...entry, outcome: 'begun' })
  const done = await act().catch(async (error: unknown) => {
    await recordFailure(audit, entry, error)
    throw error
  })
  try {
    await audit.write({ ...entry, ...done.also, outcome: 'ok' })
  } catch (cause) {
    throw unrecorded(operation.action, cause)
  }
  return done.result
}

/** Whether an error rejects the request, rather than reports a failure of Keyspring. */
export function isRefusal(error: unknown): error is KeyProviderError {
  return error instanceof KeyProviderError && !FAILURES.has(error.code)
}

async function recordFailure(
  audit: Management['audit'],
  entry: Omit<AuditEntry, 'outcome'>,
  error: unknown,
): Promise<void> {
  const code = error instanceof KeyProviderError ? error.code : 'UNFORESEEN'
  try {
    await audit.write({ ...entry, outcome: isRefusal(error) ? 'refused' : 'failed', code })
  } catch (auditError) {
    // No key was given out, and the record `begun` is on disk. The first error helps the caller more.
    if (!(auditError instanceof KeyProviderError && auditError.code === 'ERR_AUDIT_UNAVAILABLE')) throw auditError
  }
}

/** Actions that change nothing: their result is a secret, which is dropped if it cannot be recorded. */
const GIVES_OUT: readonly AuditAction[] = ['key.export', 'key.resolve', 'key.issue']

function unrecorded(action: AuditAction, cause: unknown): KeyProviderError {
  const problem = cause instanceof Error ? cause.message : 'its second record could not be written'
  const result = GIVES_OUT.includes(action)
    ? 'no key was given out'
    : 'the change itself was made: check the current state before you try again'
  return new KeyProviderError('ERR_AUDIT_UNAVAILABLE', `${problem}; ${result}`, { cause })
}

/** The codes of failures of Keyspring and of the services it needs. All other codes reject the request. */
const FAILURES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_JWKS_UNAVAILABLE',
  'ERR_ACCESS_UNAVAILABLE',
  'ERR_AUDIT_UNAVAILABLE',
  'ERR_AUDIT_BROKEN',
  'ERR_PSSH_INVALID',
  'ERR_PLAYREADY_OBJECT_INVALID',
  'ERR_WIDEVINE_PSSH_DATA_INVALID',
  'ERR_SEAL_BROKEN',
  'ERR_ROOT_KEY_MISSING',
  'ERR_ROOT_KEY_FOREIGN',
  'ERR_ROOT_KEY_INVALID',
  'ERR_ROOT_KEY_UNAVAILABLE',
  'ERR_STORE_UNAVAILABLE',
  'ERR_STORE_SCHEMA_NEWER',
  'ERR_STORE_SCHEMA_OLDER',
  'ERR_STORE_CONFLICT',
  'ERR_DATA_KEY_REMOVED',
  'ERR_BACKUP_INVALID',
  'ERR_KEY_PROVIDER_UNREACHABLE',
  'ERR_KEY_PROVIDER_REFUSED',
  'ERR_ANSWER_INVALID',
  'ERR_USAGE_INVALID',
  'ERR_CONFIG_INVALID',
  'ERR_SELF_TEST_FAILED',
  'ERR_OVERLOADED',
])
