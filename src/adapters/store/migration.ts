import { createHash } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'

/** One step of a schema. A step that was released is never changed; a new one is added. */
export interface Migration {
  readonly name: string
  readonly sql: string
}

/** A step that a database has had. */
export interface AppliedMigration {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

/** What a step is recognised by. */
export function checksumOf({ sql }: Migration): string {
  return createHash('sha256').update(sql.replaceAll(/\s+/g, ' ').trim()).digest('hex')
}

/**
 * The steps that a database lacks, from version `applied.length + 1` on. Throws ERR_STORE_SCHEMA_NEWER for the schema of a later
 * version, ERR_STORE_UNAVAILABLE for one whose steps are not ours.
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
        `the store ${store} had step ${version} (${name}) of another schema than this keyspring knows: ` +
          'name the right database, or restore it from a backup',
      )
    }
  }
  return migrations.slice(applied.length)
}
