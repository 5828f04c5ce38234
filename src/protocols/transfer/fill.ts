import { createHash } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { fillOnce, type Template } from '../../core/template.ts'
import type { KeyAndIv } from '../../formats/cenc.ts'
import type { XmlLimits } from '../../formats/xml/document.ts'
import { readXml } from '../../formats/xml/reader.ts'
import type { IssuedKeys, OpenContent, WantedKey } from '../../keys/content/content-key.ts'
import { type CurrentKey, currentKeys } from '../../keys/content/find.ts'
import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { ContentStore } from '../../keys/ports/content-store.ts'
import { type AnswerOptions, rejectInvalidCertificates } from '../speke/answer.ts'
import { answeredKids, describeAnswer, ledgerEntries } from '../speke/describe.ts'
import { expandEmptySystems, isEmptySystem } from '../speke/empty-systems.ts'
import { SpekeError } from '../speke/error.ts'
import { type AnsweredRecipient, toFilling } from '../speke/fill.ts'
import { type AnsweredKey, type AnswerFilling, layoutAnswer, wantedKeys } from '../speke/layout.ts'
import type { SpekeDocument } from '../speke/request.ts'
import type { Signaler } from '../speke/signaler.ts'
import { readTransferDocument } from './document.ts'
import { nameRecipients } from './expand.ts'

/** Everything that fills documents: what SPEKE answers are filled with, and the stored keys. */
interface FillOptions extends Omit<AnswerOptions, 'record' | 'urls'> {
  readonly signaler: Signaler
  readonly store: Pick<ContentStore, 'findContent'>
  readonly dataKeys: DataKeys
}

/** A document that is ready to be filled. */
export interface PreparedDocument {
  readonly document: SpekeDocument
  readonly keys: readonly AnsweredKey[]
  readonly recipients: readonly AnsweredRecipient[] | undefined
  /** Changes with everything in the filled document except random values. */
  readonly digest: string
  readonly ledgerEntries: readonly LedgerEntry[]
  /** Throws ERR_CONTENT_GONE or ERR_CONTENT_EXPIRED for a content that may not be read, and ERR_KEY_NOT_FOUND for a missing key. */
  requireKeys(): void
  /** Fills the document with keys, and creates those that do not exist. */
  issue(): Promise<FilledDocument>
  /** Fills the document with existing keys and changes nothing. Throws as `requireKeys` does. */
  open(): Promise<Uint8Array>
}

interface FilledDocument extends Pick<IssuedKeys, 'first'> {
  readonly body: Uint8Array
}

/** The limits of stored text, and of text with the elements that this server added. */
export const OWN_LIMITS: Partial<XmlLimits> = { bytes: 16 * 1024 * 1024, elements: 100_000, allAttributes: 200_000 }
const LEDGER_VERSION = 'cpix'

/** A document and the caller that it is filled for. */
interface DocumentToFill {
  readonly ref: ContentRef
  readonly bytes: Uint8Array
  readonly client: string
  /** Certificates (DER) to encrypt for where the document names no recipient. */
  readonly certificates: readonly Uint8Array[]
}

/** Reads a document and lays out its answer. Creates nothing. Throws what is wrong with the document, and ERR_CONTENT_GONE. */
export async function prepareDocument(
  options: FillOptions,
  { ref, bytes, client, certificates }: DocumentToFill,
): Promise<PreparedDocument> {
  const { contentKeys, findDrmSystem, policy, signaler, now, warn, xmlLimits, profileFor, randomBytes } = options
  const readOwn = (text: string): SpekeDocument =>
    readTransferDocument(readXml(Buffer.from(text), OWN_LIMITS), ref.contentId, findDrmSystem, policy)
  let document = readTransferDocument(readXml(bytes, xmlLimits), ref.contentId, findDrmSystem, policy)
  if (document.recipients === undefined && certificates.length > 0) {
    document = readOwn(nameRecipients(document, certificates))
  }
  const content = await contentKeys.open(
    ref,
    document.contentKeys.map(({ kid }) => kid),
  )
  const profile = profileFor({ ...ref, client })
  const answered = (of: SpekeDocument): readonly AnsweredKey[] =>
    describeAnswer(of, answeredKids(of.contentKeys, content.kidOverrides), profile)
  if (document.drmSystems.some(isEmptySystem)) {
    const keys = answered(document)
    refuseUnfitSystems(document, keys)
    document = readOwn(expandEmptySystems(document, keys, signaler.systemsOf(ref, keys, profile, content)))
  }
  const keys = answered(document)
  refuseUnfitSystems(document, keys)
  const wanted = wantedKeys(keys)
  const { recipients } = document
  rejectInvalidCertificates(recipients, { policy, now, warn })
  const layoutOf = (of: readonly AnsweredKey[]): Template<AnswerFilling> =>
    layoutAnswer(document, of, signaler.systemsOf(ref, of, profile, content), profile)
  const layout = layoutOf(keys)
  const fill = (of: Template<AnswerFilling>, found: readonly KeyAndIv[]): Uint8Array =>
    fillOnce(of, toFilling({ wanted, recipients }, found, randomBytes))
  return {
    document,
    keys,
    recipients,
    digest: await digestOf(options.store, ref, wanted, layout),
    ledgerEntries: ledgerEntries(document, keys, { tenant: ref.tenant, client }).map((entry) => {
      return { ...entry, spekeVersion: LEDGER_VERSION }
    }),
    requireKeys() {
      for (const one of wanted) findKey(content, one).contentKey.fill(0)
    },
    async issue() {
      const issued = await content.issue(wanted)
      const stored = await currentKeys(options, ref, wanted)
      const found = issued.keys.map((key, i): KeyAndIv => {
        const { contentKey, explicitIv = key.explicitIv } = stored[i] ?? key
        return { contentKey, explicitIv }
      })
      return { body: fill(layout, found), first: issued.first }
    },
    async open() {
      const inMemory = wanted.map((one) => findKey(content, one))
      const stored = await currentKeys(options, ref, wanted)
      const found = inMemory.map((key, i) => stored[i] ?? key)
      return fill(
        found.every(({ explicitIv }) => explicitIv !== undefined)
          ? layout
          : layoutOf(keys.map((key, i) => withoutMissingIv(key, found[i]))),
        found.map(({ contentKey, explicitIv = NO_IV }) => ({ contentKey, explicitIv })),
      )
    },
  }
}

const NO_IV = new Uint8Array()

/** Throws ERR_CONTENT_GONE, ERR_CONTENT_EXPIRED, ERR_KEY_NOT_FOUND. */
function findKey(content: OpenContent, wanted: WantedKey): CurrentKey {
  const found = content.findWithIv(wanted)
  if (found !== undefined) return found
  throw new KeyProviderError(
    'ERR_KEY_NOT_FOUND',
    `the content has no key for kid ${wanted.kid} yet, and reading creates none: send the document with POST`,
  )
}

/** An override without an IV, of a content without a secret, has no IV until an encryptor asks for the key. */
function withoutMissingIv(key: AnsweredKey, found: CurrentKey | undefined): AnsweredKey {
  const isMissing = key.answeredIv === 'derived' && found?.explicitIv === undefined
  return isMissing ? { ...key, answeredIv: undefined } : key
}

/**
 * Rejects a key without a scheme whose DRM systems have no scheme in common with it. Systems without DRM have a method of
 * their own, whatever the scheme of the key is elsewhere.
 */
function refuseUnfitSystems({ drmSystems }: SpekeDocument, keys: readonly AnsweredKey[]): void {
  const schemes = new Map(keys.map(({ kid, scheme }) => [kid, scheme]))
  for (const { system, kid, systemIdText } of drmSystems) {
    const scheme = schemes.get(kid)
    if (scheme === undefined || system.contentKeyClass === 'clear') continue
    if (system.commonEncryptionSchemes.includes(scheme)) continue
    throw new SpekeError('ERR_SPEKE_SCHEME_DRM_SYSTEM', {
      of: systemIdText,
      detail: `${system.name} takes ${system.commonEncryptionSchemes.join(', ')}: name a commonEncryptionScheme`,
    })
  }
}

/** Hashes the layout, which holds no key, and the stored sources of the keys, which are sealed. */
async function digestOf(
  store: Pick<ContentStore, 'findContent'>,
  ref: ContentRef,
  wanted: readonly WantedKey[],
  layout: Template<AnswerFilling>,
): Promise<string> {
  const stored = await store.findContent(
    ref,
    wanted.map(({ kid }) => kid),
  )
  if (stored?.tombstone !== undefined && stored.tombstone.cause === 'deleted') {
    throw new KeyProviderError(
      'ERR_CONTENT_GONE',
      `content ${JSON.stringify(ref.contentId)} was destroyed and never gets keys again: use another contentId`,
    )
  }
  const hash = createHash('sha256').update(layout.text)
  hash.update(stored?.sealedSecret ?? '').update(String(stored?.life.epoch ?? 0))
  for (const { kid, contentKeyClass } of wanted) {
    const own = stored?.overrides.find((one) => one.kid === kid && one.contentKeyClass === contentKeyClass)
    hash.update(own?.sealed ?? '-')
  }
  return hash.digest('base64url').slice(0, 22)
}
