import { type ErrorCode, KeyProviderError } from '../../core/errors.ts'
import type { AuditedOperation, Management, Operator } from '../management.ts'
import type { AuditAction, AuditEntry } from '../ports/audit.ts'

/** What an operation gives, and what its record says beyond what was known when it began. */
export interface Audited<T> {
  readonly result: T
  readonly also?: Partial<AuditedOperation> | undefined
}

/**
 * The result of `act`, with a record before and one after it. Throws ERR_AUDIT_UNAVAILABLE, and nothing is done, when the first
 * cannot be written; and when the second cannot, so that no key is given out unrecorded. Else throws what `act` throws.
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

/** Whether an error says that the asker may not, rather than that Keyspring cannot. */
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
    // Nothing was given out, and a record that says `begun` stands alone: what went wrong first tells the asker more.
    if (!(auditError instanceof KeyProviderError && auditError.code === 'ERR_AUDIT_UNAVAILABLE')) throw auditError
  }
}

/** Actions that change nothing: their result is a secret that goes nowhere unless its record stands. */
const GIVES_OUT: readonly AuditAction[] = ['key.export', 'key.resolve', 'key.issue']

function unrecorded(action: AuditAction, cause: unknown): KeyProviderError {
  const problem = cause instanceof Error ? cause.message : 'its end could not be recorded'
  const became = GIVES_OUT.includes(action)
    ? 'nothing was given out'
    : 'the change itself was made: look at what stands before you try again'
  return new KeyProviderError('ERR_AUDIT_UNAVAILABLE', `${problem}; ${became}`, { cause })
}

/** The codes that say that Keyspring itself, or what it stands on, failed. All others refuse. */
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
