import { sealGeneration } from '../../../keys/crypto/seal.ts'
import type { StoreMaintenance } from '../../../keys/ports/maintenance-store.ts'
import { toText } from '../rows.ts'
import { codeOf } from './error.ts'
import type { PostgresPool } from './pool.ts'
import { escapeName, namesOf, toNamedDataKey, unescapeName } from './reads.ts'

const LIST = {
  name: 'keyspring-list-contents',
  text: `SELECT tenant, content_id FROM keyspring_content WHERE (tenant, content_id) > ($1, $2) OR $3
    ORDER BY tenant, content_id LIMIT $4`,
}
const DATA_KEYS = {
  name: 'keyspring-list-data-keys',
  text: 'SELECT tenant, generation, wrapped FROM keyspring_data_key ORDER BY tenant, generation',
}
const REWRAP = {
  name: 'keyspring-rewrap',
  text: 'UPDATE keyspring_data_key SET wrapped = $3 WHERE tenant = $1 AND generation = $2 AND wrapped = $4',
}
const REMOVE = {
  name: 'keyspring-remove-data-key',
  text: 'DELETE FROM keyspring_data_key WHERE tenant = $1 AND generation = $2',
}
const RESEAL_SECRETS = {
  name: 'keyspring-reseal-secrets',
  text: `UPDATE keyspring_content AS one SET sealed_secret = given.after, generation = given.generation
    FROM unnest($1::TEXT[], $2::TEXT[], $3::BYTEA[], $4::BYTEA[], $5::BIGINT[])
      AS given (tenant, content_id, before, after, generation)
    WHERE one.tenant = given.tenant AND one.content_id = given.content_id AND one.sealed_secret = given.before`,
}
const RESEAL_OVERRIDE = {
  name: 'keyspring-reseal-override',
  text: `UPDATE keyspring_override SET sealed = $6, generation = $7
    WHERE tenant = $1 AND content_id = $2 AND kid = $3 AND class = $4 AND sealed = $5`,
}
const PUT_LIFE = {
  name: 'keyspring-put-life',
  text: `UPDATE keyspring_content SET created_at = $3, expires_at = $4, hold = $5, epoch = $6
    WHERE tenant = $1 AND content_id = $2`,
}
const COUNT = {
  name: 'keyspring-count-seals',
  text: `SELECT one.tenant, one.generation,
      (SELECT count(*) FROM keyspring_content WHERE tenant = one.tenant AND generation = one.generation)
      + (SELECT count(*) FROM keyspring_override WHERE tenant = one.tenant AND generation = one.generation)
      + (SELECT count(*) FROM keyspring_audit_head WHERE tenant = one.tenant AND generation = one.generation)
      + (SELECT count(*) FROM keyspring_client_seal WHERE tenant = one.tenant AND generation = one.generation) AS rows
    FROM keyspring_data_key AS one ORDER BY one.tenant, one.generation`,
}

export function postgresMaintenance(pool: PostgresPool): StoreMaintenance {
  return {
    async listContents(after, limit) {
      const names = after === undefined ? ['', ''] : namesOf(after)
      const { rows } = await pool.run(LIST, [...names, after === undefined, limit])
      return rows.map((row) => {
        return { tenant: unescapeName(toText(row.tenant)), contentId: unescapeName(toText(row.content_id)) }
      })
    },
    listDataKeys: async () => (await pool.run(DATA_KEYS, [])).rows.map(toNamedDataKey),
    async rewrapDataKey({ tenant, generation, wrapped }, before) {
      const values = [escapeName(tenant), generation, Buffer.from(wrapped), Buffer.from(before)]
      return (await pool.run(REWRAP, values, false)).count > 0
    },
    async removeDataKey(tenant, generation) {
      try {
        return (await pool.run(REMOVE, [escapeName(tenant), generation], false)).count > 0
      } catch (error) {
        // A foreign key reports that a sealed value needs it, whatever was counted before.
        if (codeOf(error instanceof Error ? error.cause : undefined) === '23503') return false
        throw error
      }
    },
    async reseal(values) {
      const secrets = values
        .filter(({ override }) => override === undefined)
        .map((one) => [...namesOf(one), Buffer.from(one.before), Buffer.from(one.after), sealGeneration(one.after)])
        .sort((a, b) => (JSON.stringify(a.slice(0, 2)) < JSON.stringify(b.slice(0, 2)) ? -1 : 1))
      const columns = [0, 1, 2, 3, 4].map((column) => secrets.map((row) => row[column] ?? null))
      let resealed = secrets.length === 0 ? 0 : (await pool.run(RESEAL_SECRETS, columns, false)).count
      for (const { override, before, after, ...ref } of values) {
        if (override === undefined) continue
        const seals = [Buffer.from(before), Buffer.from(after), sealGeneration(after) ?? null]
        const row = [...namesOf(ref), override.kid, override.contentKeyClass, ...seals]
        resealed += (await pool.run(RESEAL_OVERRIDE, row, false)).count
      }
      return resealed
    },
    async putLife(ref, { createdAt, expiresAt, hold, epoch }) {
      const heldBy = hold === undefined ? null : escapeName(hold)
      await pool.run(PUT_LIFE, [...namesOf(ref), createdAt ?? null, expiresAt ?? null, heldBy, epoch])
    },
    async countSeals() {
      const { rows } = await pool.run(COUNT, [])
      return rows.map((row) => {
        return {
          tenant: unescapeName(toText(row.tenant)),
          generation: Number(row.generation),
          rows: Number(row.rows),
        }
      })
    },
  }
}
