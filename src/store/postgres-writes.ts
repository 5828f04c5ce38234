import { sealGeneration } from '../keys/seal.ts'
import type { ContentRef, SecretStore, StoredContent, StoredOverride } from '../keys/store.ts'
import { contentGone, dataKeyRemoved, rowGone } from './content.ts'
import { codeOf } from './postgres-error.ts'
import { escapeName } from './postgres-names.ts'
import type { PostgresPool } from './postgres-pool.ts'
import { namesOf, type PostgresReads } from './postgres-reads.ts'
import { toMatch, toPsshJson } from './rows.ts'

export type PostgresWrites = Omit<SecretStore, keyof PostgresReads | 'close'>

const OF_CONTENT = 'WHERE tenant = $1 AND content_id = $2'
const IS_GONE = `SELECT 1 FROM keyspring_content ${OF_CONTENT} AND tombstone_at IS NOT NULL`

const PUT_SECRET = {
  name: 'keyspring-put-secret',
  text: `INSERT INTO keyspring_content (tenant, content_id, sealed_secret, generation) VALUES ($1, $2, $3, $4)
    ON CONFLICT (tenant, content_id) DO NOTHING`,
}
/** All overrides in one statement, so that all or none stand; the rows are sorted before, so that two of them cannot deadlock. */
const PUT_OVERRIDES = {
  name: 'keyspring-put-overrides',
  text: `INSERT INTO keyspring_override (tenant, content_id, kid, class, sealed, generation, pssh)
    SELECT $1::TEXT, $2::TEXT, kid, class, sealed, generation, pssh
    FROM unnest($3::UUID[], $4::TEXT[], $5::BYTEA[], $6::BIGINT[], $7::TEXT[]) AS given (kid, class, sealed, generation, pssh)
    WHERE NOT EXISTS (${IS_GONE})
    ON CONFLICT (tenant, content_id, kid, class) DO NOTHING`,
}
const REPLACE_OVERRIDE = {
  name: 'keyspring-replace-override',
  text: `INSERT INTO keyspring_override (tenant, content_id, kid, class, sealed, generation, pssh)
    SELECT $1::TEXT, $2::TEXT, $3::UUID, $4::TEXT, $5::BYTEA, $6::BIGINT, $7::TEXT WHERE NOT EXISTS (${IS_GONE})
    ON CONFLICT (tenant, content_id, kid, class)
    DO UPDATE SET sealed = excluded.sealed, generation = excluded.generation, pssh = excluded.pssh`,
}
const REMOVE_OVERRIDE = {
  name: 'keyspring-remove-override',
  text: `DELETE FROM keyspring_override ${OF_CONTENT} AND kid = $3 AND class = $4`,
}
const PUT_RULE = {
  name: 'keyspring-put-rule',
  text: `INSERT INTO keyspring_kid_override (tenant, content_id, track_type, period_index, kid)
    SELECT $1::TEXT, $2::TEXT, $3::TEXT, $4::TEXT, $5::UUID WHERE NOT EXISTS (${IS_GONE})
    ON CONFLICT (tenant, content_id, track_type, period_index) DO UPDATE SET kid = excluded.kid`,
}
const REMOVE_RULE = {
  name: 'keyspring-remove-rule',
  text: `DELETE FROM keyspring_kid_override ${OF_CONTENT} AND track_type = $3 AND period_index = $4`,
}
const PUT_TOMBSTONE = {
  name: 'keyspring-put-tombstone',
  text: `INSERT INTO keyspring_content (tenant, content_id, tombstone_at, tombstone_reason) VALUES ($1, $2, $3, $4)
    ON CONFLICT (tenant, content_id) DO UPDATE SET sealed_secret = NULL, generation = NULL,
      tombstone_at = excluded.tombstone_at, tombstone_reason = excluded.tombstone_reason
    WHERE keyspring_content.tombstone_at IS NULL`,
}
const CLEAR_OVERRIDES = { name: 'keyspring-clear-overrides', text: `DELETE FROM keyspring_override ${OF_CONTENT}` }
const CLEAR_RULES = { name: 'keyspring-clear-rules', text: `DELETE FROM keyspring_kid_override ${OF_CONTENT}` }
const PUT_DATA_KEY = {
  name: 'keyspring-put-data-key',
  text: `INSERT INTO keyspring_data_key (tenant, generation, wrapped) VALUES ($1, $2, $3)
    ON CONFLICT (tenant, generation) DO NOTHING`,
}

/**
 * The writes of a SecretStore. An insert-if-absent and the reading of what stands are two statements, each committed by itself: the
 * second sees what any other node committed before it.
 */
export function postgresWrites(pool: PostgresPool, reads: PostgresReads): PostgresWrites {
  const standing = async (
    ref: ContentRef,
    kids: Parameters<PostgresReads['findContent']>[1],
  ): Promise<StoredContent> => {
    const content = await reads.findContent(ref, kids)
    if (content === undefined) throw rowGone()
    return content
  }
  /** The tombstone is durable before the rows go, so a write that slips in between finds it and takes its own rows away. */
  const clear = async (ref: ContentRef): Promise<void> => {
    await pool.run(CLEAR_OVERRIDES, namesOf(ref))
    await pool.run(CLEAR_RULES, namesOf(ref))
  }
  const refuseGone = async (ref: ContentRef, written: number): Promise<void> => {
    const isGone = (await reads.findContent(ref, []))?.tombstone !== undefined
    if (isGone && written > 0) await clear(ref)
    if (isGone) throw contentGone(ref)
  }

  return {
    async putSecretIfAbsent(ref, sealedSecret, kids) {
      const values = [...namesOf(ref), Buffer.from(sealedSecret), generationOf(sealedSecret)]
      await unlessRemoved(ref, pool.run(PUT_SECRET, values))
      return standing(ref, kids)
    },

    async putOverridesIfAbsent(ref, overrides) {
      const rows = overrides.map(overrideValues).sort(([kidA, a], [kidB, b]) => (kidA + a < kidB + b ? -1 : 1))
      const columns = [0, 1, 2, 3, 4].map((column) => rows.map((row) => row[column]))
      const { count } = await unlessRemoved(ref, pool.run(PUT_OVERRIDES, [...namesOf(ref), ...columns]))
      const content = await standing(
        ref,
        overrides.map(({ kid }) => kid),
      )
      if (content.tombstone !== undefined && count > 0) await clear(ref)
      return content
    },

    async replaceOverride(ref, override) {
      const values = [...namesOf(ref), ...overrideValues(override)]
      const { count } = await unlessRemoved(ref, pool.run(REPLACE_OVERRIDE, values))
      await refuseGone(ref, count)
    },

    async removeOverride(ref, contentKeyClass, kid) {
      return (await pool.run(REMOVE_OVERRIDE, [...namesOf(ref), kid, contentKeyClass], false)).count > 0
    },

    async putKidOverride(ref, { intendedTrackType, periodIndex, kid }) {
      const match = [escapeName(toMatch(intendedTrackType)), toMatch(periodIndex)]
      const { count } = await pool.run(PUT_RULE, [...namesOf(ref), ...match, kid])
      await refuseGone(ref, count)
    },

    async removeKidOverride(ref, { intendedTrackType, periodIndex }) {
      const match = [escapeName(toMatch(intendedTrackType)), toMatch(periodIndex)]
      return (await pool.run(REMOVE_RULE, [...namesOf(ref), ...match], false)).count > 0
    },

    async putTombstone(ref, { at, reason }) {
      await pool.run(PUT_TOMBSTONE, [...namesOf(ref), at, escapeName(reason)])
      await clear(ref)
    },

    async putDataKeyIfAbsent({ tenant, generation, wrapped }) {
      await pool.run(PUT_DATA_KEY, [escapeName(tenant), generation, Buffer.from(wrapped)])
      const found = (await reads.findDataKeys(tenant)).find((one) => one.generation === generation)
      if (found === undefined) throw rowGone()
      return found
    },
  }
}

/** The result of a write, or ERR_DATA_KEY_REMOVED where a foreign key says that the data key of a value is gone. */
export async function unlessRemoved<T>({ tenant }: Pick<ContentRef, 'tenant'>, writing: Promise<T>): Promise<T> {
  try {
    return await writing
  } catch (error) {
    throw codeOf(error instanceof Error ? error.cause : undefined) === '23503' ? dataKeyRemoved(tenant) : error
  }
}

/** The data key that a value needs, or NULL for bytes that are no seal. */
function generationOf(sealed: Uint8Array): number | null {
  return sealGeneration(sealed) ?? null
}

function overrideValues({ kid, contentKeyClass, sealed, pssh }: StoredOverride) {
  return [kid, contentKeyClass, Buffer.from(sealed), generationOf(sealed), toPsshJson(pssh)] as const
}
