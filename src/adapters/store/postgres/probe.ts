import { KeyProviderError } from '../../../core/errors.ts'
import { REMEDIES } from './error.ts'
import type { PostgresPool } from './pool.ts'

const READ_ONLY = {
  name: 'keyspring-read-only',
  text: `SELECT current_setting('transaction_read_only') AS read_only`,
}

/** Rejects with ERR_STORE_UNAVAILABLE for a database that takes no writes: a standby is one until it is promoted. */
export async function checkPostgresWrites(pool: PostgresPool): Promise<void> {
  const [row] = (await pool.run(READ_ONLY, [])).rows
  if (row?.read_only !== 'on') return
  throw new KeyProviderError('ERR_STORE_UNAVAILABLE', `the store ${pool.name} does not answer: ${REMEDIES['25006']}`)
}
