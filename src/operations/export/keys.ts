import { KeyProviderError } from '../../core/errors.ts'
import { inGroups } from '../../core/in-groups.ts'
import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import { type CurrentKey, currentKeys } from '../../keys/content/find.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { audited } from '../audit/audited.ts'
import { contentNotFound } from '../contents/contents.ts'
import { kidNotFound } from '../contents/kids.ts'
import { findKnownKeys, type IssuedKey, type KnownContent } from '../contents/known-keys.ts'
import type { Management, Operator } from '../management.ts'
import { cpixExport } from './cpix.ts'
import { csvExport, type ExportFormat, jsonExport } from './format.ts'

/** The wanted export. */
export interface KeyExport {
  readonly contentId: string
  /** Undefined: every key that was issued or is stored. */
  readonly kids?: readonly Kid[] | undefined
  /** Undefined: both classes. */
  readonly contentKeyClass?: ContentKeyClass | undefined
  /** One of `EXPORT_FORMATS`. */
  readonly format: string
  /** DER certificates to encrypt the keys for, if the format supports it. */
  readonly recipients?: readonly Uint8Array[] | undefined
  /** Throws for certificates (SHA-256, in hex) that the caller must not encrypt for. */
  readonly authorize?: ((recipientFingerprints: readonly string[]) => void) | undefined
}

/** Exported keys. */
export interface ExportedKeys {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly keys: readonly Pick<IssuedKey, 'kid' | 'contentKeyClass'>[]
  /** SHA-256 fingerprints of the certificates that the keys are encrypted for; empty: clear keys. */
  readonly recipients: readonly string[]
}

/** The limit of keys, and of key periods that are read for them. */
const MAX_EXPORTED_KEYS = 10_000
/** How many periods are read first for named kids. */
const NEWEST_PERIODS = 1_000
const MAX_RECIPIENTS = 32

/**
 * Exports the keys of a content, in the clear or encrypted for recipients. Creates nothing. Records the export, with kids and
 * recipients, before it opens the keys. Throws ERR_CONTENT_NOT_FOUND, ERR_KEY_NOT_FOUND, ERR_CONTENT_GONE, ERR_RECIPIENT_INVALID.
 */
export async function exportKeys(management: Management, operator: Operator, wanted: KeyExport): Promise<ExportedKeys> {
  const { contentId, contentKeyClass, recipients: certificates = [], authorize } = wanted
  const format = formatOf(wanted)
  const ref = { tenant: operator.tenant, contentId }
  const periods = wanted.kids === undefined ? MAX_EXPORTED_KEYS : NEWEST_PERIODS
  const known = await findKnownKeys(management.store, ref, periods)
  const keys = await selectKeys(management, ref, known, wanted)
  const prepared = format.prepare({ contentId, keys, periods: known.periods, certificates, now: management.now() })
  const { recipients } = prepared
  authorize?.(recipients)
  const kids = keys.map(({ kid }) => kid)
  const operation = { action: 'key.export', contentId, contentKeyClass, kids, keys: kids.length, recipients } as const
  return audited(management, operator, operation, async () => {
    const opened = await openKeys(management, ref, keys)
    try {
      const bytes = prepared.write(opened, management.randomBytes)
      management.emit({
        type: 'key.exported',
        tenant: ref.tenant,
        contentId,
        at: management.now(),
        data: { keys: kids.length, format: format.name, encrypted: recipients.length > 0, recipients },
      })
      const named = keys.map(({ kid, contentKeyClass: of }) => ({ kid, contentKeyClass: of }))
      return { result: { bytes, mediaType: format.mediaType, keys: named, recipients } }
    } finally {
      for (const { contentKey } of opened) contentKey.fill(0)
    }
  })
}

function formatOf({ format, recipients = [] }: KeyExport): ExportFormat {
  const found = EXPORT_FORMATS.get(format)
  if (found === undefined) throw invalid(`format: expected one of ${[...EXPORT_FORMATS.keys()].join(', ')}`)
  if (recipients.length > 0 && !found.encrypts)
    throw invalid(`recipients: the format ${format} cannot hold encrypted keys; use cpix`)
  if (recipients.length > MAX_RECIPIENTS) throw invalid(`recipients: expected at most ${MAX_RECIPIENTS}`)
  return found
}

async function selectKeys(
  { store }: Pick<Management, 'store'>,
  ref: ContentRef,
  { keys: known, isCut }: KnownContent,
  { kids, contentKeyClass }: KeyExport,
): Promise<readonly IssuedKey[]> {
  const ofClass = known.filter((key) => contentKeyClass === undefined || key.contentKeyClass === contentKeyClass)
  if (kids === undefined) {
    if (isCut || ofClass.length > MAX_EXPORTED_KEYS) {
      throw invalid(`kids: the content has more than ${MAX_EXPORTED_KEYS} keys or key periods; name the kids to export`)
    }
    if (known.length === 0) throw contentNotFound(ref.contentId)
    if (ofClass.length === 0) throw invalid(`contentKeyClass: the content has no key of the class ${contentKeyClass}`)
    return ofClass
  }
  if (kids.length > MAX_EXPORTED_KEYS) throw invalid(`kids: expected at most ${MAX_EXPORTED_KEYS}`)
  const byKid = Map.groupBy(ofClass, ({ kid }) => kid)
  const selected = await inGroups(
    [...new Set(kids)],
    (kid) => byKid.get(kid) ?? findOlder(store, ref, kid, contentKeyClass),
  )
  return selected.flat()
}

/** Finds a kid of an older period. The ledger deletes old records; a caller that names the class needs no record. */
async function findOlder(
  store: Pick<Management['store'], 'findByKid'>,
  { tenant, contentId }: ContentRef,
  kid: Kid,
  contentKeyClass: ContentKeyClass | undefined,
): Promise<readonly IssuedKey[]> {
  const records = await store.findByKid(tenant, kid, { contentId, periods: 1 })
  const keys = records.flatMap((record) => record.keys).filter((key) => key.kid === kid)
  const classes = contentKeyClass === undefined ? keys.map((key) => key.contentKeyClass) : [contentKeyClass]
  if (classes.length === 0) throw kidNotFound(kid)
  return Array.from(new Set(classes), (of) => {
    const key = keys.find((one) => one.contentKeyClass === of)
    return {
      kid,
      contentKeyClass: of,
      commonEncryptionScheme: key?.commonEncryptionScheme,
      intendedTrackTypes: key?.intendedTrackTypes ?? [],
      systemIds: key?.systemIds ?? [],
      periodIds: [],
    }
  })
}

/** Opens the stored keys. */
async function openKeys(
  management: Pick<Management, 'store' | 'dataKeys' | 'contentKeys'>,
  ref: ContentRef,
  keys: readonly IssuedKey[],
): Promise<readonly CurrentKey[]> {
  const kids = keys.map(({ kid }) => kid)
  const content = await management.contentKeys.open(ref, kids)
  const current = await currentKeys(management, ref, keys)
  // Throws for an expired or destroyed content.
  const inMemory = await inGroups(keys, (key) => content.findWithIv(key))
  return keys.map((key, i) => {
    const found = current[i] ?? inMemory[i]
    if (found === undefined) throw kidNotFound(key.kid)
    return found
  })
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_API_REQUEST_INVALID', problem)
}

/** Every export format, by name. */
const EXPORT_FORMATS: ReadonlyMap<string, ExportFormat> = new Map(
  [cpixExport, jsonExport, csvExport].map((format) => [format.name, format]),
)
