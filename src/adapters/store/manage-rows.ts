import type { AuditHead, ContentSummary, IdempotentWrite, StoredDocument } from '../../operations/ports/store.ts'
import { type Row, toBytes, toLife, toNumber, toText, toTombstone } from './rows.ts'

export function toDocument(row: Row): StoredDocument {
  return { xml: toText(row.xml), revision: toText(row.revision), at: Number(row.at) }
}

export function toSummary(row: Row): ContentSummary {
  return {
    contentId: toText(row.content_id),
    ...toLife(row),
    tombstone: toTombstone(row),
    hasSecret: row.sealed_secret !== null,
    overrides: Number(row.overrides),
    kidOverrides: Number(row.rules),
  }
}

export function toIdempotentWrite(row: Row): IdempotentWrite {
  const status = toNumber(row.status)
  return {
    tenant: toText(row.tenant),
    client: toText(row.client),
    key: toText(row.key),
    requestHash: toText(row.request_hash),
    at: Number(row.at),
    reply: status === undefined ? undefined : { status, body: toText(row.body) },
  }
}

export function toAuditHead(row: Row): AuditHead {
  return { chain: toText(row.chain), seq: Number(row.seq), sealed: toBytes(row.sealed) }
}
