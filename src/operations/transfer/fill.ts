import { createHash } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { fillOnce, type Template } from '../../core/template.ts'
import type { KeyAndIv } from '../../formats/cenc.ts'
import type { XmlLimits } from '../../formats/xml/limits.ts'
import { readXml } from '../../formats/xml/reader.ts'
import type { IssuedKeys, WantedKey } from '../../keys/content/content-key.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { type AnswerOptions, rejectInvalidCertificates } from '../../protocols/speke/answer.ts'
import { answeredKids, describeAnswer, ledgerEntries } from '../../protocols/speke/describe.ts'
import { SpekeError } from '../../protocols/speke/error.ts'
import { type AnsweredRecipient, toFilling } from '../../protocols/speke/fill.ts'
import { type AnsweredKey, type AnswerFilling, layoutAnswer, wantedKeys } from '../../protocols/speke/layout.ts'
import type { SpekeDocument } from '../../protocols/speke/request.ts'
import { Signaler } from '../../protocols/speke/signaler.ts'
import { readTransferDocument } from '../../protocols/transfer/document.ts'
import { standingKeys } from '../export/stored-keys.ts'
import type { Management } from '../management.ts'
import { expandEmptySystems, isEmptySystem, nameRecipients } from './expand.ts'

/** What documents are filled with; the same as answers of SPEKE are. */
export type FillOptions = Omit<AnswerOptions, 'contentKeys' | 'now' | 'randomBytes'>

/** A document as far as it is known without its keys. */
export interface PreparedDocument {
  readonly document: SpekeDocument
  readonly keys: readonly AnsweredKey[]
  readonly recipients: readonly AnsweredRecipient[] | undefined
  /** Changes with everything that is in the filled document but randomness. */
  readonly digest: string
  readonly ledgerEntries: readonly LedgerEntry[]
  /** Issues the keys and fills them in. */
  fill(): Promise<FilledDocument>
}

export interface FilledDocument extends Pick<IssuedKeys, 'first'> {
  readonly body: Uint8Array
  readonly keys: readonly WantedKey[]
}

/** Reads a document and lays out its answer: creates nothing. `certificates`: whom it is for unless it says so itself. */
export type PrepareDocument = (
  ref: ContentRef,
  bytes: Uint8Array,
  client: string,
  certificates: readonly Uint8Array[],
) => Promise<PreparedDocument>

/** Stored text, and text with the elements that this server added, is ours. */
const OWN_LIMITS: Partial<XmlLimits> = { bytes: 16 * 1024 * 1024, elements: 100_000, allAttributes: 200_000 }
const LEDGER_VERSION = 'cpix'

/** Makes the function that prepares documents. */
export function createPrepare(
  {
    contentKeys,
    dataKeys,
    store,
    now,
    randomBytes,
  }: Pick<Management, 'contentKeys' | 'dataKeys' | 'store' | 'now' | 'randomBytes'>,
  options: FillOptions,
): PrepareDocument {
  const { findDrmSystem, policy, urls, warn, xmlLimits, profileFor } = options
  const signaler = new Signaler(urls, warn)

  return async (ref, bytes, client, certificates) => {
    const readOwn = (text: string): SpekeDocument =>
      readTransferDocument(readXml(Buffer.from(text), OWN_LIMITS), ref.contentId, findDrmSystem, policy)
    let document = readTransferDocument(readXml(bytes, xmlLimits), ref.contentId, findDrmSystem, policy)
    if (document.recipients === undefined && certificates.length > 0) {
      document = readOwn(nameRecipients(document, certificates))
    }
    const kids = document.contentKeys.map(({ kid }) => kid)
    const content = await contentKeys.open(ref, kids)
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
    const layout = layoutAnswer(document, keys, signaler.systemsOf(ref, keys, profile, content), profile)
    const wanted = wantedKeys(keys)
    const recipients = document.recipients
    rejectInvalidCertificates(recipients, { policy, now, warn })
    return {
      document,
      keys,
      recipients,
      digest: await digestOf(store, ref, wanted, layout),
      ledgerEntries: ledgerEntries(document, keys, { tenant: ref.tenant, client }).map((entry) => {
        return { ...entry, spekeVersion: LEDGER_VERSION }
      }),
      async fill() {
        const issued = await content.issue(wanted)
        const standing = await standingKeys({ store, dataKeys }, ref, wanted)
        const fresh = issued.keys.map((key, i): KeyAndIv => {
          const { contentKey, explicitIv = key.explicitIv } = standing[i] ?? key
          return { contentKey, explicitIv }
        })
        const filling: AnswerFilling = toFilling({ wanted, recipients }, fresh, randomBytes)
        return { body: fillOnce(layout, filling), keys: wanted, first: issued.first }
      },
    }
  }
}

/**
 * A key whose scheme the document leaves open has one that all of its DRM systems take, or the document is refused. Systems without
 * DRM have a method of their own, whatever the scheme of the key is elsewhere.
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

/** Of the layout, in which there is no key, and of what the keys come from as it is stored: sealed. */
async function digestOf(
  store: Management['store'],
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
      `content ${JSON.stringify(ref.contentId)} was destroyed; it never gets keys again: use another contentId`,
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
