import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { ContentStore, LifeStore } from '../../../keys/ports/content-store.ts'
import { type Row, toText } from '../rows.ts'
import type { PostgresPool, Run } from './pool.ts'
import { escapeName, namesOf, unescapeName } from './reads.ts'

const OF_CONTENT = 'WHERE tenant = $1 AND content_id = $2'
/** Rows are locked in a fixed order, so that nodes that renew the same contents do not deadlock. */
const PUT_EXPIRY = {
  name: 'keyspring-put-expiry',
  text: `UPDATE keyspring_content AS one SET expires_at = taken.until
    FROM (SELECT living.tenant, living.content_id, given.until FROM keyspring_content AS living
      JOIN unnest($1::TEXT[], $2::TEXT[], $3::BIGINT[]) AS given (tenant, content_id, until)
        ON living.tenant = given.tenant AND living.content_id = given.content_id
      WHERE living.tombstone_at IS NULL ORDER BY living.tenant, living.content_id FOR UPDATE OF living) AS taken
    WHERE one.tenant = taken.tenant AND one.content_id = taken.content_id`,
}
const PUT_HOLD = {
  name: 'keyspring-put-hold',
  text: `UPDATE keyspring_content SET hold = $3 ${OF_CONTENT} AND tombstone_at IS NULL`,
}
const EXPIRED = {
  name: 'keyspring-list-expired',
  text: `SELECT tenant, content_id, expires_at FROM keyspring_content
    WHERE expires_at IS NOT NULL AND hold IS NULL AND expires_at < $1 AND (expires_at, tenant, content_id) > ($2, $3, $4)
    ORDER BY expires_at, tenant, content_id LIMIT $5`,
}
const UNLIMITED = {
  name: 'keyspring-list-unlimited',
  text: `SELECT tenant, content_id FROM keyspring_content WHERE ((tenant, content_id) > ($1, $2) OR $3)
    AND expires_at IS NULL AND hold IS NULL AND tombstone_at IS NULL ORDER BY tenant, content_id LIMIT $4`,
}
const TAKE_EXPIRED = {
  name: 'keyspring-take-expired',
  text: `SELECT tenant, content_id FROM keyspring_content
    WHERE (tenant, content_id, expires_at) IN (SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::BIGINT[]))
      AND hold IS NULL AND tombstone_at IS NULL ORDER BY tenant, content_id FOR UPDATE`,
}
const OF_GIVEN = 'WHERE (tenant, content_id) IN (SELECT * FROM unnest($1::TEXT[], $2::TEXT[]))'
const DESTROY = {
  name: 'keyspring-destroy-expired',
  text: `UPDATE keyspring_content SET sealed_secret = NULL, generation = NULL, expires_at = NULL,
      tombstone_at = $3, tombstone_reason = $4, tombstone_cause = 'expired' ${OF_GIVEN}`,
}
const REMOVE_PARTS = ['override', 'kid_override', 'document', 'issued_kid'].map((table) => {
  return { name: `keyspring-clear-${table}`, text: `DELETE FROM keyspring_${table} ${OF_GIVEN}` }
})

/** Expiry and legal holds in PostgreSQL. */
export function postgresLife(pool: PostgresPool): LifeStore & Pick<ContentStore, 'putExpiry'> {
  return {
    async putExpiry(expiries) {
      if (expiries.length === 0) return
      const until = expiries.map(({ expiresAt }) => expiresAt ?? null)
      await pool.run(PUT_EXPIRY, [...columnsOf(expiries), until])
    },

    async putHold(ref, hold) {
      const { count } = await pool.run(PUT_HOLD, [...namesOf(ref), hold === undefined ? null : escapeName(hold)])
      return count > 0
    },

    async listExpired(before, after, limit) {
      const from = after === undefined ? [0, '', ''] : [after.expiresAt, ...namesOf(after)]
      const { rows } = await pool.run(EXPIRED, [before, ...from, limit])
      return rows.map((row) => ({ ...toRef(row), expiresAt: Number(row.expires_at) }))
    },

    async listUnlimited(after, limit) {
      const names = after === undefined ? ['', ''] : namesOf(after)
      const { rows } = await pool.run(UNLIMITED, [...names, after === undefined, limit])
      return rows.map(toRef)
    },

    async destroyExpired(expired, at, reason) {
      if (expired.length === 0) return []
      const times = expired.map(({ expiresAt }) => expiresAt)
      return pool.transaction(async (run) => {
        const taken = (await run(TAKE_EXPIRED, [...columnsOf(expired), times])).rows.map(toRef)
        if (taken.length === 0) return []
        await run(DESTROY, [...columnsOf(taken), at, escapeName(reason)])
        await removeParts(run, taken)
        return taken
      })
    },
  }
}

/** Removes everything of contents except their own rows. Those rows are locked, so nothing is added meanwhile. */
export async function removeParts(run: Run, refs: readonly ContentRef[]): Promise<void> {
  for (const statement of REMOVE_PARTS) await run(statement, columnsOf(refs))
}

function columnsOf(refs: readonly ContentRef[]): [tenants: string[], contentIds: string[]] {
  const names = refs.map(namesOf)
  return [names.map(([tenant]) => tenant), names.map(([, contentId]) => contentId)]
}

function toRef(row: Row): ContentRef {
  return { tenant: unescapeName(toText(row.tenant)), contentId: unescapeName(toText(row.content_id)) }
}
