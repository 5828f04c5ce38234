import { entriesOf, readCpix } from '../../formats/cpix/document.ts'
import type { XmlDocument } from '../../formats/xml/document.ts'
import { readXml } from '../../formats/xml/reader.ts'
import type { AnswerOptions } from '../../protocols/speke/answer.ts'
import type { SpekeDocument } from '../../protocols/speke/request.ts'
import { readTransferDocument } from '../../protocols/transfer/document.ts'
import { holdsKey, readCpixKeys } from '../import/cpix.ts'
import { createImportDraft } from '../import/draft.ts'
import type { ImportKey } from '../import/format.ts'
import { importDraft } from '../import/keys.ts'
import type { Management, Operator } from '../management.ts'
import { refuseBareIvs, refuseKeysIn, stripKeys } from './strip.ts'

export interface DocumentKeysOptions extends Pick<AnswerOptions, 'findDrmSystem' | 'policy'> {
  readonly contentId: string
  readonly importKey: ImportKey | undefined
}

/**
 * Imports the keys that a document brings, in the class that its systems mean, and gives `store` its text without them. A key that
 * would change what may have been issued is refused (ERR_OVERRIDE_EXISTS): that takes an import by force.
 */
export async function importDocumentKeys<T>(
  management: Management,
  operator: Operator,
  xml: XmlDocument,
  { contentId, importKey, findDrmSystem, policy }: DocumentKeysOptions,
  store: (text: string, document: SpekeDocument) => Promise<T>,
): Promise<T> {
  const cpix = readCpix(xml)
  refuseBareIvs(cpix)
  const text = stripKeys(cpix, importKey)
  const document = readTransferDocument(readXml(Buffer.from(text), OWN_LIMITS), contentId, findDrmSystem, policy)
  const classes = new Map(document.contentKeys.map(({ kid, contentKeyClass }) => [kid, contentKeyClass]))
  const draft = createImportDraft({ contentId, contentKeyClass: 'drm' })
  try {
    readCpixKeys(cpix, { contentId, importKey }, draft, { isWanted: holdsKey, classOf: (kid) => classes.get(kid) })
    refuseKeysIn(text, cpix, draft.keys)
    if (entriesOf(cpix.lists.ContentKeyList, 'ContentKey').some(holdsKey)) {
      await importDraft(management, operator, draft, {})
    }
    return await store(text, document)
  } finally {
    draft.wipe()
  }
}

/** Text that was read within the limits of requests only gets shorter. */
const OWN_LIMITS = { bytes: 16 * 1024 * 1024, elements: 100_000, allAttributes: 200_000 }
