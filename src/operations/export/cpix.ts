import { KeyProviderError } from '../../core/errors.ts'
import { fillOnce } from '../../core/template.ts'
import { recipientError, validityProblem } from '../../formats/cpix/delivery-data.ts'
import type { XmlLimits } from '../../formats/xml/document.ts'
import { readXml } from '../../formats/xml/reader.ts'
import { toFilling } from '../../protocols/speke/fill.ts'
import { type AnsweredKey, layoutAnswer, wantedKeys } from '../../protocols/speke/layout.ts'
import { DEFAULT_PROFILE } from '../../protocols/speke/profile.ts'
import type { SpekeDocument } from '../../protocols/speke/request.ts'
import { readTransferDocument } from '../../protocols/transfer/document.ts'
import { refuseTwoClasses } from '../contents/known-keys.ts'
import type { ExportFormat, ExportInput } from './format.ts'
import { writeIssuedDocument } from './issued-document.ts'

/** A CPIX document of the keys, with their IVs, periods and track types; encrypted if there are recipients. @see CPIX 2.3, Key Management */
export const cpixExport: ExportFormat = {
  name: 'cpix',
  mediaType: 'application/xml',
  encrypts: true,
  prepare(input) {
    refuseTwoClasses(input.keys)
    const document = documentOf(input)
    for (const recipient of document.recipients ?? []) {
      const problem = validityProblem(recipient, input.now)
      if (problem !== undefined) throw recipientError(recipient.path, problem)
    }
    return {
      recipients: document.recipients?.map(({ fingerprint }) => fingerprint) ?? [],
      write(opened, randomBytes) {
        const answered = document.contentKeys.map((key, i): AnsweredKey => {
          const { contentKeyClass = key.contentKeyClass } = input.keys[i] ?? {}
          const answeredIv = opened[i]?.explicitIv === undefined ? undefined : 'derived'
          // The document has no DRM systems, so the scheme does not matter.
          return { ...key, contentKeyClass, scheme: key.scheme ?? 'cenc', answeredKid: key.kid, answeredIv }
        })
        const layout = layoutAnswer(document, answered, noSystem, DEFAULT_PROFILE)
        const keys = opened.map(({ contentKey, explicitIv = NO_IV }) => ({ contentKey, explicitIv }))
        return fillOnce(
          layout,
          toFilling({ wanted: wantedKeys(answered), recipients: document.recipients }, keys, randomBytes),
        )
      },
    }
  },
}

const NO_IV = new Uint8Array()
/** Enough for the largest export. */
const LIMITS: Partial<XmlLimits> = { bytes: 64 * 1024 * 1024, elements: 500_000, allAttributes: 500_000 }
const MANY = { contentKeys: 20_000, drmSystems: 0, recipients: 64 }

function documentOf({ contentId, keys, periods, certificates }: ExportInput): SpekeDocument {
  const used = new Set(keys.flatMap(({ periodIds }) => periodIds))
  const text = writeIssuedDocument({
    contentId,
    keys,
    periods: periods.filter(({ periodId }) => used.has(periodId)),
    systemsOf: () => [],
    recipients: certificates,
  })
  return readTransferDocument(readXml(Buffer.from(text), LIMITS), contentId, () => undefined, { limits: MANY })
}

function noSystem(): never {
  throw new KeyProviderError('ERR_DRM_SYSTEM_UNKNOWN', 'an export signals no DRM system')
}
