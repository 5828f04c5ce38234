import { createHash } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'

/** One step of a schema. A released step never changes; changes are new steps. */
export interface Migration {
  readonly name: string
  readonly sql: string
}

/** A step that a database has already run. */
export interface AppliedMigration {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

/** The checksum that identifies a step. */
export function checksumOf({ sql }: Migration): string {
  return createHash('sha256').update(sql.replaceAll(/\s+/g, ' ').trim()).digest('hex')
}

/**
 * The steps that a database lacks, from version `applied.length + 1`. Throws ERR_STORE_SCHEMA_NEWER for the schema of
 * a later version, and ERR_STORE_UNAVAILABLE for foreign steps.
 */
export function pendingMigrations(
  store: string,
  migrations: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Migration[] {
  if (applied.length > migrations.length) {
    const { name = '' } = applied.at(-1) ?? {}
    throw new KeyProviderError(
      'ERR_STORE_SCHEMA_NEWER',
      `the store ${store} has schema ${applied.length}${name === '' ? '' : ` (${name})`}, and this keyspring ` +
        `knows up to ${migrations.length}: run the newer keyspring that wrote it, or restore a backup from before the upgrade`,
    )
  }
  for (const [index, { version, name, checksum }] of applied.entries()) {
    const known = migrations[index]
    if (known === undefined || version !== index + 1 || checksum !== checksumOf(known)) {
      throw new KeyProviderError(
        'ERR_STORE_UNAVAILABLE',
        `the store ${store} ran step ${version} (${name}), which this keyspring does not know: ` +
          'name the right database, or restore it from a backup',
      )
    }
  }
  return migrations.slice(applied.length)
}
