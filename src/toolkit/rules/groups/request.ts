import { X509Certificate } from 'node:crypto'
import { KID, SIXTEEN_BYTES } from '../../../formats/cpix/fields.ts'
import { CPIX_NAMESPACE, SPEKE_NAMESPACE } from '../../../formats/cpix/names.ts'
import { DRM_SYSTEMS } from '../../../formats/drm/systems.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, textOf } from '../../../formats/xml/reader.ts'
import { findElement } from '../open-keys.ts'
import type { Rule } from '../rule.ts'
import { everyElement } from './document.ts'

const MIN_MODULUS_BITS = 2048

/** Rules over a request. @see speke.md 3, 4 */
export const REQUEST_RULES: readonly Rule[] = [
  {
    id: 'content-id-missing',
    group: 'request',
    subject: 'request',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (Missing CPIX@contentId)',
    title: 'A request names its content',
    why: 'Key providers refuse it with "Missing CPIX@contentId".',
    mend: 'Give CPIX@contentId, in SPEKE 1.0 CPIX@id.',
    *check({ request }) {
      const name = request.version.contentIdAttribute
      if (!attributeOf(request.root, name)) yield { what: `CPIX/@${name} is missing or empty`, at: request.root }
    },
  },
  {
    id: 'cpix-version-unknown',
    group: 'request',
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (Missing, Unsupported CPIX@version)',
    title: 'CPIX@version is 2.3 with SPEKE 2.0 and 2.4 with SPEKE 2.1',
    why: 'Key providers refuse it with "Missing CPIX@version" or "Unsupported CPIX@version".',
    mend: 'Write version="2.3" and send X-Speke-Version: 2.0, or 2.4 and 2.1.',
    *check({ request }) {
      const value = attributeOf(request.root, 'version')
      if (!value) yield { what: 'CPIX/@version is missing or empty', at: request.root }
      else if (value !== request.version.cpixVersion) {
        yield { what: `CPIX/@version goes with no SPEKE version`, at: request.root, attribute: 'version' }
      }
    },
  },
  {
    id: 'list-missing',
    group: 'request',
    subject: 'request',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (mandatory children)',
    title: 'ContentKeyList and DRMSystemList are there and not empty',
    why: 'There is nothing to answer: key providers refuse it.',
    mend: 'Add a ContentKey for each key and a DRMSystem for each key and DRM.',
    *check({ request }) {
      if (request.keys.length === 0) yield { what: 'there is no ContentKey in a ContentKeyList', at: request.root }
      if (request.systems.length === 0) yield { what: 'there is no DRMSystem in a DRMSystemList', at: request.root }
    },
  },
  {
    id: 'kid-malformed',
    group: 'request',
    subject: 'request',
    severity: 'error',
    clause: 'CPIX 2.3, ContentKey@kid',
    title: 'Every ContentKey has a kid of its own, a UUID that is not all zeros',
    why: 'Key providers refuse it, and players could not tell keys apart.',
    mend: 'Write the kid as 8-4-4-4-12 hexadecimal digits; no braces, no base64.',
    *check({ request }) {
      const seen = new Set<string>()
      for (const { element } of request.keys) {
        const kid = attributeOf(element, 'kid')?.toLowerCase() ?? ''
        if (KID.read(kid) === undefined) yield { what: `@kid is not ${KID.expected}`, at: element }
        else if (seen.has(kid)) yield { what: `another ContentKey has the kid ${kid}`, at: element, attribute: 'kid' }
        seen.add(kid)
      }
    },
  },
  {
    id: 'iv-malformed',
    group: 'request',
    subject: 'request',
    severity: 'error',
    clause: 'CPIX 2.3, ContentKey@explicitIV',
    title: 'An explicitIV that is asked for is base64 of 16 bytes',
    why: 'Key providers refuse it, or echo what no encryptor can use.',
    mend: 'Encode 16 bytes as base64; 32 hexadecimal digits are not base64 of them.',
    *check({ request }) {
      for (const { element, ivText, iv } of request.keys) {
        if (ivText !== undefined && iv === undefined) {
          yield { what: `explicitIV is not ${SIXTEEN_BYTES.expected}`, at: element, attribute: 'explicitIV' }
        }
      }
    },
  },
  {
    id: 'scheme-missing',
    group: 'request',
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (Missing ContentKey@commonEncryptionScheme)',
    title: 'Every ContentKey has a commonEncryptionScheme that its version knows',
    why: 'Key providers refuse it with "Missing ContentKey@commonEncryptionScheme for KID …".',
    mend: 'Write cenc, cens, cbc1 or cbcs; in SPEKE 2.1 also AES-128, SAMPLE-AES or SAMPLE-AES-CTR.',
    *check({ request }) {
      for (const { element, scheme, schemeText } of request.keys) {
        if (!schemeText) yield { what: 'commonEncryptionScheme is missing', at: element }
        else if (scheme === undefined) {
          const known = Object.keys(request.version.schemes).join(', ')
          yield { what: `commonEncryptionScheme is none of ${known}`, at: element, attribute: 'commonEncryptionScheme' }
        }
      }
    },
  },
  {
    id: 'schemes-mixed',
    group: 'request',
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (Non compliant ContentKey@commonEncryptionScheme combination)',
    title: 'All keys of a request have one scheme',
    why: 'Key providers refuse it with "Non compliant ContentKey@commonEncryptionScheme combination".',
    mend: 'Ask once for cenc and once for cbcs.',
    *check({ request }) {
      const [first] = request.keys
      const other = request.keys.find(({ schemeText }) => schemeText !== undefined && schemeText !== first?.schemeText)
      if (other !== undefined && first?.schemeText !== undefined) {
        yield {
          what: 'it is another scheme than that of the first key',
          at: other.element,
          attribute: 'commonEncryptionScheme',
        }
      }
    },
  },
  {
    id: 'scheme-of-system',
    group: 'request',
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (non compatible with DRMSystem)',
    title: 'Every DRM system can take the scheme of its key',
    why: 'Key providers refuse it with "ContentKey@commonEncryptionScheme non compatible with DRMSystem …".',
    mend: 'FairPlay takes cbcs, AES-128 cbc1, Widevine and PlayReady cenc or cbcs.',
    *check({ request }) {
      for (const { element, systemId, scheme, name } of request.systems) {
        const schemes = systemId && DRM_SYSTEMS.get(systemId)?.commonEncryptionSchemes
        if (schemes !== undefined && scheme !== undefined && !schemes.includes(scheme)) {
          yield { what: `${name} takes ${schemes.join(', ')}, its key is for ${scheme}`, at: element }
        }
      }
    },
  },
  {
    id: 'drm-system-malformed',
    group: 'request',
    subject: 'request',
    severity: 'error',
    clause: 'CPIX 2.3, DRMSystem',
    title: 'Every DRMSystem names a system, and the kid of a ContentKey, once',
    why: 'Key providers refuse it: there is no key to signal, or two answers for one question.',
    mend: 'Give systemId and kid as UUIDs; one DRMSystem for each key and system.',
    *check({ request }) {
      const seen = new Set<string>()
      for (const { element, systemId, kid } of request.systems) {
        const pair = `${systemId} ${kid}`
        if (systemId === undefined) yield { what: '@systemId is no UUID', at: element }
        if (!request.keys.some((key) => key.kid !== undefined && key.kid === kid)) {
          yield { what: 'its kid is that of no ContentKey', at: element, attribute: 'kid' }
        } else if (seen.has(pair)) yield { what: 'another DRMSystem has the same systemId and kid', at: element }
        seen.add(pair)
      }
    },
  },
  {
    id: 'playlists',
    group: 'request',
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (HLSSignalingData, media and master)',
    title: 'HLSSignalingData is asked for media and for master',
    why: 'The encryptor needs both lines; a key provider refuses one alone, twice the same, or another word.',
    mend: 'Ask with playlist="media" and playlist="master"; in SPEKE 2.1 multiVariant may stand for master.',
    *check({ request }) {
      for (const { element, slots } of request.systems) {
        const lines = slots.filter(({ kind }) => kind === 'hlsMedia' || kind === 'hlsMaster')
        const unknown = lines.find((slot) => {
          const playlist = attributeOf(slot.element, 'playlist')
          return playlist === undefined || !Object.hasOwn(request.version.playlists, playlist)
        })
        if (unknown !== undefined) {
          const known = Object.keys(request.version.playlists).join(', ')
          yield { what: `@playlist is none of ${known}`, at: unknown.element }
        } else if (lines.length > 0 && (lines.length !== 2 || lines[0]?.kind === lines[1]?.kind)) {
          yield { what: 'expected one HLSSignalingData for media and one for master', at: element }
        }
      }
    },
  },
  {
    id: 'request-holds-answer',
    group: 'request',
    subject: 'request',
    severity: 'warning',
    clause: 'SPEKE 2.0, Standard payload components',
    title: 'What a key provider fills is empty in a request',
    why: 'Text that is there already is replaced at best, and taken for signalling at worst.',
    mend: 'Send PSSH, ContentProtectionData, HLSSignalingData and their like empty.',
    *check({ request }) {
      for (const { slots } of request.systems) {
        for (const { text, element } of slots)
          if (text !== '') yield { what: `${element.local} holds text`, at: element }
      }
    },
  },
  {
    id: 'period-malformed',
    group: 'request',
    subject: 'request',
    severity: 'error',
    clause: 'SPEKE 2.1, Standard payload components (ContentKeyPeriod)',
    title: 'A key period has an id and says when it is',
    why: 'Key providers refuse a period without bounds: which key would it be?',
    mend: 'Give id and index; in SPEKE 2.1 start and end, or startOffset and endOffset, may stand beside or instead.',
    *check({ request }) {
      const seen = new Set<string>()
      for (const element of request.periods) {
        const value = (name: string): string | undefined => attributeOf(element, name)
        const id = value('id')
        if (!id) yield { what: '@id is missing', at: element }
        else if (seen.has(id)) yield { what: 'another ContentKeyPeriod has this id', at: element, attribute: 'id' }
        seen.add(id ?? '')
        const hasInterval = (value('start') ?? value('startOffset')) !== undefined
        const { periodBounds } = request.version
        const isBounded = value('index') !== undefined || (periodBounds === 'index-or-interval' && hasInterval)
        if (!isBounded && periodBounds !== 'any') yield { what: '@index is missing', at: element }
        for (const [from, to] of INTERVALS) {
          if ((value(from) === undefined) !== (value(to) === undefined)) {
            yield { what: `@${from} and @${to} go together`, at: element }
          }
        }
      }
    },
  },
  {
    id: 'certificate',
    group: 'request',
    subject: 'request',
    severity: 'error',
    clause: 'SPEKE 2.0, Content key encryption (RSA-2048 certificates)',
    title: 'Every recipient has an RSA certificate of 2048 bits or more',
    why: 'A key provider cannot encrypt for it and refuses; one that answers in the clear instead discloses the keys.',
    mend: 'Put base64 of the DER of an RSA-2048 certificate into DeliveryKey/ds:X509Data/ds:X509Certificate, without PEM lines.',
    *check({ request }) {
      const { lists, deliveryData, document } = request
      if (lists.DeliveryDataList !== undefined && deliveryData.length === 0) {
        yield { what: 'DeliveryDataList names no recipient', at: lists.DeliveryDataList }
      }
      for (const element of deliveryData) {
        const x509 = findElement(element, 'http://www.w3.org/2000/09/xmldsig#', 'X509Certificate')
        const what = x509 === undefined ? 'there is no X509Certificate' : certificateProblem(textOf(document, x509))
        if (what !== undefined) yield { what, at: x509 ?? element }
      }
    },
  },
  {
    id: 'v1-in-v2-request',
    group: 'request',
    subject: 'request',
    majors: [2],
    severity: 'warning',
    clause: 'SPEKE 2.0, Changes from SPEKE 1.0',
    title: 'A request of SPEKE 2 asks for nothing of SPEKE 1.0',
    why: 'Key providers leave it out of the answer, or echo it, and MediaPackage v2 refuses what still declares it.',
    mend: 'Ask for HLSSignalingData instead of URIExtXKey, for SmoothStreamingProtectionHeaderData instead of speke:ProtectionHeader.',
    *check({ request }) {
      for (const element of everyElement(request.root)) {
        if (isOfV1(element)) yield { what: `${element.name} is of SPEKE 1.0`, at: element }
      }
    },
  },
  {
    id: 'v1-several-keys',
    group: 'request',
    subject: 'request',
    majors: [1],
    severity: 'error',
    clause: 'SPEKE 1.0, Constraints (one key)',
    title: 'A request of SPEKE 1.0 asks for one key',
    why: 'SPEKE 1.0 does not support several tracks or keys for a content: key providers refuse it or answer one.',
    mend: 'Ask for one key, or use SPEKE 2.0.',
    *check({ request }) {
      const beyond = request.keys[Math.max(1, request.periods.length)]
      if (beyond !== undefined) yield { what: `there are ${request.keys.length} ContentKey`, at: beyond.element }
    },
  },
]

const INTERVALS = [
  ['start', 'end'],
  ['startOffset', 'endOffset'],
] as const

function isOfV1({ namespace, local }: XmlElement): boolean {
  return namespace === SPEKE_NAMESPACE || (namespace === CPIX_NAMESPACE && local === 'URIExtXKey')
}

function certificateProblem(text: string): string | undefined {
  const der = Buffer.from(text.replaceAll(/\s+/g, ''), 'base64')
  try {
    const { publicKey } = new X509Certificate(der)
    const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0
    if (publicKey.asymmetricKeyType !== 'rsa') return 'its key is not RSA'
    return bits < MIN_MODULUS_BITS ? `its RSA key has ${bits} bits, expected ${MIN_MODULUS_BITS} or more` : undefined
  } catch (error) {
    if (error instanceof Error) return 'it cannot be read as X.509'
    throw error
  }
}
