import { contentGone, contentHeld } from '../../../keys/content/errors.ts'
import { sealGeneration } from '../../../keys/crypto/seal.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { Birth, ContentStore, StoredContent, StoredOverride } from '../../../keys/ports/content-store.ts'
import type { DocumentOverrides } from '../../../operations/ports/store.ts'
import { dataKeyRemoved, NOTHING, rowGone, toMatch, toPsshJson, toText } from '../rows.ts'
import { codeOf } from './error.ts'
import { removeParts } from './life.ts'
import type { PostgresPool, Run } from './pool.ts'
import { escapeName, namesOf, type PostgresReads, unescapeName } from './reads.ts'

type PostgresWrites = Omit<ContentStore, keyof PostgresReads | 'putExpiry' | 'close'>

const OF_CONTENT = 'WHERE tenant = $1 AND content_id = $2'
/** The content row that a write needs. It is locked until the statement ends, so that no destruction comes between. */
const LIVING = `(SELECT 1 FROM keyspring_content ${OF_CONTENT} AND tombstone_at IS NULL FOR SHARE) AS living`
/**
 * Like LIVING, for a content without a secret. A writer of a secret locks the same row, so the later of the two sees
 * the earlier.
 */
const WITHOUT_SECRET = LIVING.replace('FOR SHARE', 'AND sealed_secret IS NULL FOR SHARE')

const PUT_SECRET = {
  name: 'keyspring-put-secret',
  text: `INSERT INTO keyspring_content AS one (tenant, content_id, sealed_secret, generation, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (tenant, content_id) DO UPDATE
    SET sealed_secret = excluded.sealed_secret, generation = excluded.generation,
      created_at = coalesce(one.created_at, excluded.created_at),
      expires_at = CASE WHEN one.created_at IS NULL THEN excluded.expires_at ELSE one.expires_at END
    WHERE one.sealed_secret IS NULL AND one.tombstone_at IS NULL`,
}
const PUT_NEXT_SECRET = {
  name: 'keyspring-put-next-secret',
  text: `UPDATE keyspring_content SET sealed_secret = $3, generation = $4, epoch = $5, created_at = $6, expires_at = $7,
      tombstone_at = NULL, tombstone_reason = NULL, tombstone_cause = NULL
    ${OF_CONTENT} AND tombstone_cause = 'expired' AND epoch = $5 - 1`,
}
const PUT_BIRTH = {
  name: 'keyspring-put-birth',
  text: `INSERT INTO keyspring_content AS one (tenant, content_id, created_at, expires_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (tenant, content_id) DO UPDATE SET created_at = excluded.created_at, expires_at = excluded.expires_at
    WHERE one.created_at IS NULL AND one.sealed_secret IS NULL AND one.tombstone_at IS NULL`,
}
/**
 * All overrides in one statement, so that all or none are stored. The rows are sorted first, so that two statements
 * cannot deadlock.
 */
const PUT_OVERRIDES = { name: 'keyspring-put-overrides', text: putOverridesTo(LIVING) }
const PUT_OVERRIDES_UNLESS_SECRET = {
  name: 'keyspring-put-overrides-unless-secret',
  text: putOverridesTo(WITHOUT_SECRET),
}
const REPLACE_OVERRIDE = {
  name: 'keyspring-replace-override',
  text: `INSERT INTO keyspring_override (tenant, content_id, kid, class, sealed, generation, pssh)
    SELECT $1::TEXT, $2::TEXT, $3::UUID, $4::TEXT, $5::BYTEA, $6::BIGINT, $7::TEXT FROM ${LIVING}
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
    SELECT $1::TEXT, $2::TEXT, $3::TEXT, $4::TEXT, $5::UUID FROM ${LIVING}
    ON CONFLICT (tenant, content_id, track_type, period_index) DO UPDATE SET kid = excluded.kid`,
}
const REMOVE_RULE = {
  name: 'keyspring-remove-rule',
  text: `DELETE FROM keyspring_kid_override ${OF_CONTENT} AND track_type = $3 AND period_index = $4`,
}
const PUT_TOMBSTONE = {
  name: 'keyspring-put-tombstone',
  text: `INSERT INTO keyspring_content AS one (tenant, content_id, tombstone_at, tombstone_reason, tombstone_cause)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (tenant, content_id) DO UPDATE SET sealed_secret = NULL, generation = NULL, expires_at = NULL,
      tombstone_at = excluded.tombstone_at, tombstone_reason = excluded.tombstone_reason,
      tombstone_cause = excluded.tombstone_cause
    WHERE one.hold IS NULL AND (one.tombstone_at IS NULL
      OR (one.tombstone_cause = 'expired' AND excluded.tombstone_cause = 'deleted'))`,
}
const HOLD = {
  name: 'keyspring-find-hold',
  text: `SELECT hold FROM keyspring_content ${OF_CONTENT} AND hold IS NOT NULL`,
}
export const PUT_ROW = {
  name: 'keyspring-put-row',
  text: `INSERT INTO keyspring_content (tenant, content_id) VALUES ($1, $2) ON CONFLICT (tenant, content_id) DO NOTHING`,
}
const PUT_DATA_KEY = {
  name: 'keyspring-put-data-key',
  text: `INSERT INTO keyspring_data_key (tenant, generation, wrapped) VALUES ($1, $2, $3)
    ON CONFLICT (tenant, generation) DO NOTHING`,
}

/**
 * The writes of a ContentStore. Insert-if-absent and the read that follows are two statements, each committed by
 * itself: the second sees everything that other nodes committed before it.
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
  const refuseGone = async (ref: ContentRef): Promise<void> => {
    if ((await reads.findContent(ref, []))?.tombstone !== undefined) throw contentGone(ref)
  }

  return {
    async putSecretIfAbsent(ref, sealedSecret, kids, { at, expiresAt }) {
      const seal = [Buffer.from(sealedSecret), generationOf(sealedSecret)]
      await unlessRemoved(ref, pool.run(PUT_SECRET, [...namesOf(ref), ...seal, at, expiresAt ?? null]))
      return standing(ref, kids)
    },

    async putNextSecret(ref, sealedSecret, epoch, kids, { at, expiresAt }) {
      const seal = [Buffer.from(sealedSecret), generationOf(sealedSecret)]
      await unlessRemoved(ref, pool.run(PUT_NEXT_SECRET, [...namesOf(ref), ...seal, epoch, at, expiresAt ?? null]))
      return (await reads.findContent(ref, kids)) ?? NOTHING
    },

    async putOverridesIfAbsent(ref, overrides, birth, { unlessSecret = false } = {}) {
      const kids = overrides.map(({ kid }) => kid)
      if (overrides.length === 0) return (await reads.findContent(ref, kids)) ?? NOTHING
      const values = columnsOf(ref, overrides)
      const put = unlessSecret ? PUT_OVERRIDES_UNLESS_SECRET : PUT_OVERRIDES
      await unlessRemoved(ref, pool.run(put, values))
      const content = await reads.findContent(ref, kids)
      if (content !== undefined && (content.tombstone !== undefined || holds(content, overrides))) return content
      if (unlessSecret && content?.sealedSecret !== undefined) return content
      // The content has no row yet, or had none a moment ago.
      await unlessRemoved(
        ref,
        pool.transaction(async (run) => {
          await run(PUT_BIRTH, birthOf(ref, birth))
          await run(put, values)
        }),
      )
      return standing(ref, kids)
    },

    async replaceOverride(ref, override, birth) {
      const put = pool.transaction(async (run) => {
        await run(PUT_BIRTH, birthOf(ref, birth))
        return run(REPLACE_OVERRIDE, [...namesOf(ref), ...overrideValues(override)])
      })
      if ((await unlessRemoved(ref, put)).count === 0) await refuseGone(ref)
    },

    async removeOverride(ref, contentKeyClass, kid) {
      return (await pool.run(REMOVE_OVERRIDE, [...namesOf(ref), kid, contentKeyClass], false)).count > 0
    },

    async putKidOverride(ref, { intendedTrackType, periodIndex, kid }) {
      const match = [escapeName(toMatch(intendedTrackType)), toMatch(periodIndex)]
      await pool.run(PUT_ROW, namesOf(ref))
      const { count } = await pool.run(PUT_RULE, [...namesOf(ref), ...match, kid])
      if (count === 0) await refuseGone(ref)
    },

    async removeKidOverride(ref, { intendedTrackType, periodIndex }) {
      const match = [escapeName(toMatch(intendedTrackType)), toMatch(periodIndex)]
      return (await pool.run(REMOVE_RULE, [...namesOf(ref), ...match], false)).count > 0
    },

    async putTombstone(ref, { at, reason, cause }) {
      await pool.transaction(async (run) => {
        const { count } = await run(PUT_TOMBSTONE, [...namesOf(ref), at, escapeName(reason), cause])
        if (count > 0) return removeParts(run, [ref])
        const [row] = (await run(HOLD, namesOf(ref))).rows
        if (row !== undefined) throw contentHeld(ref, unescapeName(toText(row.hold)))
      })
    },

    async putDataKeyIfAbsent({ tenant, generation, wrapped }) {
      await pool.run(PUT_DATA_KEY, [escapeName(tenant), generation, Buffer.from(wrapped)])
      const found = (await reads.findDataKeys(tenant)).find((one) => one.generation === generation)
      if (found === undefined) throw rowGone()
      return found
    },
  }
}

/**
 * The result of a write. Throws ERR_DATA_KEY_REMOVED if a foreign key reports that the data key of a value was
 * removed.
 */
export async function unlessRemoved<T>({ tenant }: Pick<ContentRef, 'tenant'>, writing: Promise<T>): Promise<T> {
  try {
    return await writing
  } catch (error) {
    throw codeOf(error instanceof Error ? error.cause : undefined) === '23503' ? dataKeyRemoved(tenant) : error
  }
}

/** Stores the birth and the overrides of a document in a transaction. Returns the number of overrides stored. */
export async function putOverridesIn(
  run: Run,
  ref: ContentRef,
  { overrides, birth, unlessSecret }: DocumentOverrides,
): Promise<number> {
  await run(PUT_BIRTH, birthOf(ref, birth))
  return (await run(unlessSecret ? PUT_OVERRIDES_UNLESS_SECRET : PUT_OVERRIDES, columnsOf(ref, overrides))).count
}

function putOverridesTo(taker: string): string {
  return `INSERT INTO keyspring_override (tenant, content_id, kid, class, sealed, generation, pssh)
    SELECT $1::TEXT, $2::TEXT, kid, class, sealed, generation, pssh
    FROM unnest($3::UUID[], $4::TEXT[], $5::BYTEA[], $6::BIGINT[], $7::TEXT[]) AS given (kid, class, sealed, generation, pssh),
      ${taker}
    ON CONFLICT (tenant, content_id, kid, class) DO NOTHING`
}

function birthOf(ref: ContentRef, { at, expiresAt }: Birth): readonly unknown[] {
  return [...namesOf(ref), at, expiresAt ?? null]
}

/** Whether an existing content has each of the overrides, whichever writer stored them. */
function holds({ life, sealedSecret, overrides }: StoredContent, wanted: readonly StoredOverride[]): boolean {
  if (life.createdAt === undefined && sealedSecret === undefined) return false
  const standing = new Set(overrides.map(({ kid, contentKeyClass }) => kid + contentKeyClass))
  return wanted.every(({ kid, contentKeyClass }) => standing.has(kid + contentKeyClass))
}

/** The data key that a value needs; NULL for bytes that are not sealed. */
function generationOf(sealed: Uint8Array): number | null {
  return sealGeneration(sealed) ?? null
}

/** Sorted, so that two transactions cannot deadlock. */
function columnsOf(ref: ContentRef, overrides: readonly StoredOverride[]): readonly unknown[] {
  const rows = overrides.map(overrideValues).sort(([kidA, a], [kidB, b]) => (kidA + a < kidB + b ? -1 : 1))
  return [...namesOf(ref), ...[0, 1, 2, 3, 4].map((column) => rows.map((row) => row[column]))]
}

function overrideValues({ kid, contentKeyClass, sealed, pssh }: StoredOverride) {
  return [kid, contentKeyClass, Buffer.from(sealed), generationOf(sealed), toPsshJson(pssh)] as const
}
