import { isDeepStrictEqual } from 'node:util'
import type { ClientStore } from '../../../auth/clients/client.ts'
import { KeyProviderError } from '../../../core/errors.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { ContentStore, StoredContent } from '../../../keys/ports/content-store.ts'
import type { IssuedKid, LedgerStore } from '../../../keys/ports/ledger-store.ts'
import type { StoreMaintenance } from '../../../keys/ports/maintenance-store.ts'
import type { AuditHeadStore, DocumentStore } from '../../../operations/ports/store.ts'

type Store = ContentStore & LedgerStore & ClientStore & StoreMaintenance & DocumentStore & AuditHeadStore

interface CopyOptions {
  readonly from: Store
  readonly to: Store
  readonly onProgress?: (progress: CopyReport) => void
  readonly pageSize?: number
}

/** The numbers of items that are in the target and were compared with the source. */
export interface CopyReport {
  readonly dataKeys: number
  readonly contents: number
  readonly periods: number
  readonly clients: number
  /** Contents that this run wrote. The others already existed. */
  readonly written: number
}

const ALL = 1_000_000_000
const ISSUED_PAGE = 1_000
const NO_CONTENT: ContentRef = { tenant: '', contentId: '' }

/**
 * Copies a store into another, reads everything back and compares it. Existing items stay, so you can repeat an
 * interrupted copy, or repeat a copy from a store in use to fetch what was added meanwhile. Sealed values stay sealed:
 * the target needs the same root key. Throws ERR_STORE_CONFLICT if the target has other keys.
 */
export async function copyStore({ from, to, onProgress = () => {}, pageSize = 200 }: CopyOptions): Promise<CopyReport> {
  const dataKeys = await from.listDataKeys()
  for (const dataKey of dataKeys) {
    const standing = await to.putDataKeyIfAbsent(dataKey)
    if (!isDeepStrictEqual(standing, dataKey)) {
      throw conflict(`data key ${dataKey.generation} of tenant ${JSON.stringify(dataKey.tenant)}`)
    }
  }
  const clients = await copyClients(from, to)
  await copyAuditHeads(from, to)
  const { completeSince } = await from.findIssued(NO_CONTENT, [])
  await to.putCompleteSince(completeSince)
  const report = { dataKeys: dataKeys.length, contents: 0, periods: 0, clients, written: 0 }
  for (let after: ContentRef | undefined; ; ) {
    const page = await from.listContents(after, pageSize)
    for (const copied of await Promise.all(page.map((ref) => copyContent(from, to, ref)))) {
      report.contents++
      report.written += copied.isWritten ? 1 : 0
      report.periods += copied.periods
    }
    onProgress({ ...report })
    after = page.at(-1)
    if (after === undefined || page.length < pageSize) return report
  }
}

async function copyContent(from: Store, to: Store, ref: ContentRef) {
  const source = await wholeContent(from, ref)
  const before = await wholeContent(to, ref)
  const isOther = source !== undefined && !isDeepStrictEqual(before, source)
  if (isOther) {
    await putContent(to, ref, source, before)
    if (!isDeepStrictEqual(await wholeContent(to, ref), source)) throw conflict(nameOf(ref))
  }
  const isDocumentWritten = await copyDocument(from, to, ref)
  await copyIssued(from, to, ref)
  return { isWritten: isOther || isDocumentWritten, periods: await copyPeriods(from, to, ref) }
}

async function putContent(to: Store, ref: ContentRef, source: StoredContent, before: StoredContent | undefined) {
  const { life, sealedSecret, overrides, kidOverrides, tombstone } = source
  const birth = { at: life.createdAt ?? 0, expiresAt: life.expiresAt }
  // A content that expired and got a new secret in the source gets the new secret here too.
  const isLater = before !== undefined && before.life.epoch < life.epoch
  if (isLater || tombstone !== undefined) {
    if (before !== undefined) await to.putLife(ref, { ...before.life, hold: undefined })
    await to.putTombstone(ref, tombstone ?? { at: birth.at, reason: 'copied', cause: 'expired' })
  }
  if (isLater) await to.putLife(ref, { ...life, expiresAt: undefined, hold: undefined, epoch: life.epoch - 1 })
  if (tombstone === undefined && sealedSecret !== undefined) {
    if (isLater) await to.putNextSecret(ref, sealedSecret, life.epoch, [], birth)
    else await to.putSecretIfAbsent(ref, sealedSecret, [], birth)
  }
  if (tombstone === undefined && overrides.length > 0) await to.putOverridesIfAbsent(ref, overrides, birth)
  for (const rule of kidOverrides) {
    const isTaken = before?.kidOverrides.some(
      (one) => one.intendedTrackType === rule.intendedTrackType && one.periodIndex === rule.periodIndex,
    )
    if (isTaken !== true || isLater) await to.putKidOverride(ref, rule)
  }
  await to.putLife(ref, life)
}

async function copyDocument(from: Store, to: Store, ref: ContentRef): Promise<boolean> {
  const source = await from.findDocument(ref)
  const before = await to.findDocument(ref)
  if (source === undefined || isDeepStrictEqual(before, source)) return false
  if (!(await to.putDocument(ref, source, before?.revision))) throw conflict(`the document of ${nameOf(ref)}`)
  if (!isDeepStrictEqual(await to.findDocument(ref), source)) throw conflict(`the document of ${nameOf(ref)}`)
  return true
}

async function copyAuditHeads(from: Store, to: Store): Promise<void> {
  const heads = await from.listAuditHeads()
  for (const head of heads) await to.putAuditHead(head)
  const standing = new Map((await to.listAuditHeads()).map((head) => [head.chain, head]))
  for (const head of heads) {
    const copied = standing.get(head.chain)
    const isSame = copied?.seq === head.seq && isDeepStrictEqual(copied, head)
    if (!isSame && (copied?.seq ?? 0) <= head.seq)
      throw conflict(`the head of audit chain ${JSON.stringify(head.chain)}`)
  }
}

/** Players need the issued kids, and the ledger has only those of recent periods. */
async function copyIssued(from: Store, to: Store, ref: ContentRef): Promise<void> {
  for (let after: IssuedKid | undefined; ; ) {
    const page = await from.listIssued(ref, after, ISSUED_PAGE)
    if (page.length > 0) await to.putIssued(ref, page)
    after = page.at(-1)
    if (page.length < ISSUED_PAGE) return
  }
}

async function copyPeriods(from: Store, to: Store, ref: ContentRef): Promise<number> {
  const periods = await from.findByContent(ref, ALL)
  if (periods.length === 0) return 0
  const known = new Set((await to.findByContent(ref, ALL)).map(({ periodId }) => periodId))
  await to.record(periods.filter(({ periodId }) => !known.has(periodId)))
  return periods.length
}

async function copyClients(from: Store, to: Store): Promise<number> {
  const clients = await from.listClients()
  const standing = new Map((await to.listClients()).map((one) => [one.client.name, one]))
  for (const one of clients) {
    const other = standing.get(one.client.name)
    if (other === undefined) await to.putClient(one)
    else if (!isDeepStrictEqual(other, one)) throw conflict(`client ${JSON.stringify(one.client.name)}`)
  }
  return clients.length
}

/** A content with all its overrides, in a fixed order. */
async function wholeContent(store: Store, ref: ContentRef): Promise<StoredContent | undefined> {
  const stored = await store.findContent(ref, [])
  if (stored === undefined) return undefined
  const overrides = stored.overridesComplete ? stored.overrides : await store.listOverrides(ref)
  const kidOverrides = stored.kidOverrides.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  return { ...stored, overrides, overridesComplete: true, kidOverrides }
}

function conflict(what: string): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_CONFLICT',
    `${what} differs between the two stores; nothing of it was changed: copy into an empty store`,
  )
}

function nameOf({ tenant, contentId }: ContentRef): string {
  return `content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)}`
}
