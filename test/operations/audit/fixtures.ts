import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { listAuditFiles } from '../../../src/adapters/audit-files/reader.ts'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { DataKeyRing, type DataKeys } from '../../../src/keys/crypto/data-keys.ts'
import type { RootKey } from '../../../src/keys/ports/root-key.ts'
import { type AuditHeads, createAuditHeads } from '../../../src/operations/audit/heads.ts'
import { type AuditReport, type VerifyAuditOptions, verifyAudit } from '../../../src/operations/audit/verify.ts'
import type { Actor, AuditEntry } from '../../../src/operations/ports/audit.ts'
import type { AuditHead, AuditHeadStore } from '../../../src/operations/ports/store.ts'
import { fakeRootKey, kidOf } from '../../keys/fixtures.ts'

export const SERVER: Actor = { method: 'server', id: 'n1' }
export const NOON = Date.parse('2026-11-21T12:00:00.000Z')
export const DAY_MS = 86_400_000

export const ISSUE: AuditEntry = {
  action: 'key.issue',
  outcome: 'ok',
  tenant: 'default',
  actor: { method: 'sigv4', id: 'packager', address: '192.0.2.7' },
  requestId: 'r1',
  contentId: 'movie',
  kids: [kidOf(1), kidOf(2)],
  contentKeyClass: 'drm',
}

export function entryOf(number: number): AuditEntry {
  return { ...ISSUE, requestId: `r${number}` }
}

/** Heads in memory, as a store keeps them. */
export function headStore(): AuditHeadStore & { readonly rows: Map<string, AuditHead> } {
  const rows = new Map<string, AuditHead>()
  return {
    rows,
    async putAuditHead(head) {
      if ((rows.get(head.chain)?.seq ?? 0) <= head.seq) rows.set(head.chain, head)
    },
    listAuditHeads: async () => [...rows.values()],
  }
}

export function dataKeysOf(rootKey: RootKey = fakeRootKey(1)): DataKeys {
  return new DataKeyRing({ store: memoryStore(), rootKey, rootKeyName: 'root.key', randomBytes })
}

export function headsOf(store: AuditHeadStore = headStore(), dataKeys = dataKeysOf()): AuditHeads {
  return createAuditHeads({ store, dataKeys, randomBytes })
}

/** What is found in the files of a directory. */
export async function verify(
  directory: string,
  heads: AuditHeads,
  options: Partial<VerifyAuditOptions> = {},
): Promise<AuditReport> {
  return verifyAudit({ files: listAuditFiles(directory), listed: await heads.list(), heads, ...options })
}

export function recordsOf(file: string): readonly Record<string, unknown>[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}
