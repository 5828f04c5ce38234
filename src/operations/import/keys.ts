import { KeyProviderError } from '../../core/errors.ts'
import { inGroups } from '../../core/in-groups.ts'
import type { ContentKeyClass } from '../../formats/cenc.ts'
import { contentGone } from '../../keys/content/errors.ts'
import type { Force } from '../../keys/content/overrides.ts'
import type { Answered } from '../answers/fields.ts'
import type { IMPORT_REPORT, IMPORTED_KEY } from '../answers/keys.ts'
import { audited } from '../audit/audited.ts'
import { checkValue } from '../contents/keys.ts'
import type { Management, Operator } from '../management.ts'
import { cpixImport } from './cpix.ts'
import { csvImport } from './csv.ts'
import { ImportDraft, type ImportFormat, type ImportKey } from './draft.ts'
import { jsonImport } from './json.ts'
import { jwkImport } from './jwk.ts'
import { bento4Import, shakaImport } from './packager-arguments.ts'
import { type ContentImportPlan, type ImportStatus, planImport, storePlanned } from './plan.ts'
import { playreadySeedImport } from './playready-seed.ts'
import { referenceServerImport } from './reference-server.ts'

/** The wanted import. */
export interface KeyImport extends Force {
  /** One of `IMPORT_FORMATS`. */
  readonly format: string
  readonly bytes: Uint8Array
  /** The content of keys that name none. A document that names a content must name this one. */
  readonly contentId?: string | undefined
  /** The class of keys that name none; undefined: `drm`. */
  readonly contentKeyClass?: ContentKeyClass | undefined
  /** Only reports what an import would do. Changes nothing. */
  readonly dryRun?: boolean | undefined
  /** Imports a document although its XML signatures are not verified. */
  readonly ignoreSignature?: boolean | undefined
  readonly importKey?: ImportKey | undefined
  /** Throws for a content that the caller must not change. Called for each content before anything is stored. */
  readonly authorize?: ((contentId: string) => void) | undefined
  readonly onProgress?: ((done: number, contents: number) => void) | undefined
}

/** The result of one key, with its check value. */
export type ImportedKeyReport = Answered<typeof IMPORTED_KEY>

export type ImportReport = Answered<typeof IMPORT_REPORT>

/** The size limit of an import, in bytes. */
const MAX_IMPORT_BYTES = 32 * 1024 * 1024

/**
 * Imports existing keys: all or none. Reads everything and compares it with the stored keys first. Throws ERR_IMPORT_INVALID with
 * every problem, and ERR_OVERRIDE_EXISTS for keys that would change an issued key, unless the import is forced with a reason.
 * Importing the same keys again changes nothing.
 */
export async function importKeys(management: Management, operator: Operator, wanted: KeyImport): Promise<ImportReport> {
  const { contentId, contentKeyClass = 'drm' } = wanted
  const force = forceOf(wanted)
  const draft = new ImportDraft({ contentId, contentKeyClass })
  try {
    await readImport(wanted, draft)
    return await importDraft(management, operator, draft, { ...wanted, ...force })
  } finally {
    draft.wipe()
  }
}

async function readImport(
  { format, bytes, contentId, importKey, ignoreSignature }: KeyImport,
  draft: ImportDraft,
): Promise<void> {
  const found = IMPORT_FORMATS.get(format)
  if (found === undefined) throw invalid(`format: expected one of ${[...IMPORT_FORMATS.keys()].join(', ')}`)
  if (bytes.length > MAX_IMPORT_BYTES) throw invalid(`the file: expected at most ${MAX_IMPORT_BYTES} bytes; split it`)
  await found.read({ bytes, contentId, importKey, ignoreSignature }, draft)
}

/** Imports the keys of a draft. Its owner wipes the draft. */
async function importDraft(
  management: Management,
  operator: Operator,
  draft: ImportDraft,
  wanted: Pick<KeyImport, 'force' | 'reason' | 'dryRun' | 'authorize' | 'onProgress'>,
): Promise<ImportReport> {
  const { dryRun = false, onProgress } = wanted
  const plan = await planDraft(management, operator, draft, wanted)
  const report = await reportOf(plan, dryRun, draft.notes)
  if (dryRun) return report
  for (const [i, content] of plan.entries()) {
    await auditedImport(management, operator, content, wanted, () => storePlanned(management, content))
    onProgress?.(i + 1, plan.length)
  }
  return report
}

/**
 * Compares the keys of a draft with the stored keys. Changes nothing. Throws ERR_IMPORT_INVALID, ERR_FORBIDDEN; unless it is
 * a dry run, also ERR_CONTENT_GONE, and ERR_OVERRIDE_EXISTS for keys that would change an issued key.
 */
export async function planDraft(
  management: Management,
  { tenant }: Operator,
  draft: ImportDraft,
  { force = false, dryRun = false, authorize }: Pick<KeyImport, 'force' | 'dryRun' | 'authorize'>,
): Promise<readonly ContentImportPlan[]> {
  draft.refuse()
  for (const contentId of new Set(draft.keys.map((key) => key.contentId))) authorize?.(contentId)
  const plan = await planImport(management, tenant, draft.keys, force)
  if (!dryRun) {
    refuseGone(plan)
    refuseChanges(await reportOf(plan, dryRun, draft.notes))
  }
  return plan
}

/** Stores the keys of one content with `store`, records it, and emits the event. Keys that are stored already are recorded too. */
export async function auditedImport(
  management: Management,
  operator: Operator,
  content: ContentImportPlan,
  { force = false, reason }: Force,
  store: () => Promise<void>,
): Promise<void> {
  const { contentId } = content.ref
  const kids = content.keys.map(({ kid }) => kid)
  const stored = content.keys.filter(({ status }) => status === 'stored').length
  const operation = { action: 'key.import', contentId, kids, keys: stored, forced: force, reason } as const
  await audited(management, operator, operation, async () => {
    await store()
    return { result: undefined }
  })
  if (stored === 0) return
  management.emit({
    type: 'key.imported',
    tenant: operator.tenant,
    contentId,
    at: management.now(),
    data: { keys: stored, forced: force },
  })
}

async function reportOf(
  plan: readonly ContentImportPlan[],
  dryRun: boolean,
  notes: readonly string[],
): Promise<ImportReport> {
  const planned = plan.flatMap((content) => content.keys)
  const keys = await inGroups(
    planned,
    ({ contentId, kid, contentKeyClass, status, refusal, key }): ImportedKeyReport => {
      const report = { contentId, kid, contentKeyClass, status, checkValue: checkValue(key) }
      return refusal === undefined ? report : { ...report, refusal }
    },
  )
  const count = (status: ImportStatus): number => keys.filter((key) => key.status === status).length
  return { dryRun, stored: count('stored'), same: count('same'), refused: count('refused'), keys, notes }
}

const MAX_SHOWN = 10

function refuseGone(plan: readonly ContentImportPlan[]): void {
  const gone = plan.filter(({ isGone }) => isGone)
  const [first] = gone
  if (first === undefined) return
  const names = gone.slice(0, MAX_SHOWN).map(({ ref }) => JSON.stringify(ref.contentId))
  const remedy = `Nothing was imported. Remove the destroyed contents (${gone.length}) from the import: ${names.join(', ')}`
  throw contentGone(first.ref, undefined, remedy)
}

function refuseChanges({ keys, refused }: ImportReport): void {
  if (refused === 0) return
  const shown = keys.filter(({ status }) => status === 'refused').slice(0, MAX_SHOWN)
  const lines = shown.map(
    ({ contentId, kid, refusal = '' }) => `${kid} of content ${JSON.stringify(contentId)}: ${refusal}`,
  )
  throw new KeyProviderError(
    'ERR_OVERRIDE_EXISTS',
    `${refused} of ${keys.length} keys differ from keys that encryptors may have, so nothing was imported. Remove them, or force the import with a reason: ${lines.join('; ')}`,
  )
}

function forceOf({ force = false, reason }: Force): { readonly force: boolean; readonly reason?: string } {
  if (force && (reason ?? '').trim() === '')
    throw invalid('reason: a forced import needs a reason; say why keys may change')
  return reason === undefined ? { force } : { force, reason }
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_IMPORT_INVALID', problem)
}

/** Every import format, by name. */
export const IMPORT_FORMATS: ReadonlyMap<string, ImportFormat> = new Map(
  [
    cpixImport,
    csvImport,
    jsonImport,
    jwkImport,
    shakaImport,
    bento4Import,
    referenceServerImport,
    playreadySeedImport,
  ].map((format) => [format.name, format]),
)
