import { holdsKey } from '../../formats/cpix/content-key.ts'
import { entriesOf, readCpix } from '../../formats/cpix/document.ts'
import type { XmlDocument } from '../../formats/xml/document.ts'
import { readXml } from '../../formats/xml/reader.ts'
import type { AnswerOptions } from '../../protocols/speke/answer.ts'
import type { SpekeDocument } from '../../protocols/speke/request.ts'
import { changedMeanwhile } from '../../protocols/transfer/conditions.ts'
import { readTransferDocument } from '../../protocols/transfer/document.ts'
import { OWN_LIMITS } from '../../protocols/transfer/fill.ts'
import { refuseBareIvs, refuseKeysIn, stripKeys } from '../../protocols/transfer/strip.ts'
import { audited } from '../audit/audited.ts'
import { readCpixKeys, verifySignatures } from '../import/cpix.ts'
import { ImportDraft, type ImportKey } from '../import/draft.ts'
import { auditedImport, planDraft } from '../import/keys.ts'
import { takenMeanwhile, withSealed } from '../import/plan.ts'
import type { Management, Operator } from '../management.ts'
import type { StoredDocument } from '../ports/store.ts'

interface PutOptions extends Pick<AnswerOptions, 'findDrmSystem' | 'policy'> {
  readonly contentId: string
  readonly importKey: ImportKey | undefined
  /** Throws ERR_FORBIDDEN for recipients (SHA-256 of their certificates, in hex) that the caller must not name. */
  readonly authorizeRecipients: (fingerprints: readonly string[]) => void
  /** The revision that the caller replaces; undefined: no document is stored. */
  readonly before: string | undefined
  readonly revision: string
}

/**
 * Stores a document without its keys, and the keys that it brings as overrides, in one transaction. Everything that can be
 * rejected is rejected before anything is written: recipients, keys that would change an issued key (ERR_OVERRIDE_EXISTS),
 * and key material outside of Data. Throws ERR_PRECONDITION_FAILED if the document has changed meanwhile.
 */
export async function putDocument(
  management: Management,
  operator: Operator,
  xml: XmlDocument,
  options: PutOptions,
): Promise<StoredDocument> {
  const { contentId, importKey, findDrmSystem, policy, before, revision } = options
  const cpix = readCpix(xml)
  refuseBareIvs(cpix)
  const text = stripKeys(cpix, importKey?.certificate)
  const document = readTransferDocument(readXml(Buffer.from(text), OWN_LIMITS), contentId, findDrmSystem, policy)
  // No key leaves: a document without recipients is no document with keys in the clear.
  if (document.recipients !== undefined) options.authorizeRecipients(fingerprintsOf(document.recipients))
  const classes = new Map(document.contentKeys.map(({ kid, contentKeyClass }) => [kid, contentKeyClass]))
  const draft = new ImportDraft({ contentId, contentKeyClass: 'drm' })
  try {
    await verifySignatures(cpix, draft)
    readCpixKeys(cpix, { contentId, importKey }, draft, { classOf: (kid) => classes.get(kid) })
    refuseKeysIn(text, cpix, draft.keys)
    const bringsKeys = entriesOf(cpix.lists.ContentKeyList, 'ContentKey').some(holdsKey)
    const [plan] = bringsKeys ? await planDraft(management, operator, draft, {}) : []
    const written = { xml: text, revision, at: management.now() }
    const ref = { tenant: operator.tenant, contentId }
    const kids = document.contentKeys.map(({ kid }) => kid)
    return await audited(management, operator, { action: 'document.write', contentId, kids }, async () => {
      if (plan === undefined) {
        if (!(await management.store.putDocument(ref, written, before))) throw changedMeanwhile()
        return { result: written }
      }
      await auditedImport(management, operator, plan, {}, () =>
        withSealed(management, plan, async (overrides, birth) => {
          const keys = { overrides, birth, unlessSecret: !plan.hasSecret }
          const result = await management.store.putDocumentWithKeys(ref, written, before, keys)
          if (result === 'changed') throw changedMeanwhile()
          if (result === 'taken') throw takenMeanwhile(ref)
        }),
      )
      return { result: written }
    })
  } finally {
    draft.wipe()
  }
}

function fingerprintsOf(recipients: NonNullable<SpekeDocument['recipients']>): readonly string[] {
  return recipients.map(({ fingerprint }) => fingerprint)
}
