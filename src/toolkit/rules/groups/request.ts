import { X509Certificate } from 'node:crypto'
import { CPIX_NAMESPACE, KID, SIXTEEN_BYTES, SPEKE_NAMESPACE, XMLDSIG_NAMESPACE } from '../../../formats/cpix/fields.ts'
import { DRM_SYSTEMS } from '../../../formats/drm/facts.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, descendantOf, textOf } from '../../../formats/xml/reader.ts'
import type { Rule } from '../rule.ts'
import { everyElement } from './document.ts'

const MIN_MODULUS_BITS = 2048

/** Rules about a request alone. */
export const REQUEST_RULES: readonly Rule[] = [
  {
    id: 'content-id-missing',
    group: 'request',
    spekeOnly: true,
    subject: 'request',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (Missing CPIX@contentId)',
    title: 'The request names its content',
    why: 'Key providers reject the request with "Missing CPIX@contentId".',
    fix: 'Set CPIX@contentId (SPEKE 1.0: CPIX@id).',
    *check({ request }) {
      const name = request.version.contentIdAttribute
      if (!attributeOf(request.root, name)) yield { what: `CPIX/@${name} is missing or empty`, at: request.root }
    },
  },
  {
    id: 'cpix-version-unknown',
    group: 'request',
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (Missing, Unsupported CPIX@version)',
    title: 'CPIX@version is 2.3 with SPEKE 2.0 and 2.4 with SPEKE 2.1',
    why: 'Key providers reject the request with "Missing CPIX@version" or "Unsupported CPIX@version".',
    fix: 'Set version="2.3" and send `X-Speke-Version: 2.0`, or set version="2.4" and send `X-Speke-Version: 2.1`.',
    *check({ request }) {
      const value = attributeOf(request.root, 'version')
      if (!value) yield { what: 'CPIX/@version is missing or empty', at: request.root }
      else if (value !== request.version.cpixVersion) {
        yield {
          what: `CPIX/@version is not ${request.version.cpixVersion}, which SPEKE ${request.version.header} requires`,
          at: request.root,
          attribute: 'version',
        }
      }
    },
  },
  {
    id: 'list-missing',
    group: 'request',
    spekeOnly: true,
    subject: 'request',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (mandatory children)',
    title: 'The request has at least one ContentKey and one DRMSystem',
    why: 'The request asks for nothing, and key providers reject it.',
    fix: 'Add one ContentKey for each key and one DRMSystem for each key and DRM system.',
    *check({ request }) {
      if (request.keys.length === 0) yield { what: 'ContentKeyList has no ContentKey', at: request.root }
      if (request.systems.length === 0) yield { what: 'DRMSystemList has no DRMSystem', at: request.root }
    },
  },
  {
    id: 'kid-malformed',
    group: 'request',
    subject: 'request',
    severity: 'error',
    clause: 'CPIX 2.3, ContentKey@kid',
    title: 'Every ContentKey has its own kid, a UUID that is not all zeros',
    why: 'Key providers reject the request, because players identify a key by its kid.',
    fix: 'Write the kid as a UUID with hyphens (8-4-4-4-12 hexadecimal digits), without braces and not in base64.',
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
    title: 'explicitIV in a request is base64 of 16 bytes',
    why: 'Key providers reject the request, or copy an IV that no encryptor can use.',
    fix: 'Encode the 16 bytes of the IV as base64 (24 characters). Do not write 32 hexadecimal digits.',
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
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (Missing ContentKey@commonEncryptionScheme)',
    title: 'Every ContentKey has a commonEncryptionScheme that its SPEKE version defines',
    why: 'Key providers reject the request with "Missing ContentKey@commonEncryptionScheme for KID …".',
    fix: 'Set cenc, cens, cbc1 or cbcs. SPEKE 2.1 also allows AES-128, SAMPLE-AES and SAMPLE-AES-CTR.',
    *check({ request }) {
      for (const { element, scheme, schemeText } of request.keys) {
        if (!schemeText) yield { what: 'commonEncryptionScheme is missing', at: element }
        else if (scheme === undefined) {
          const known = Object.keys(request.version.schemes).join(', ')
          yield {
            what: `commonEncryptionScheme is not one of ${known}`,
            at: element,
            attribute: 'commonEncryptionScheme',
          }
        }
      }
    },
  },
  {
    id: 'schemes-mixed',
    group: 'request',
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (Non compliant ContentKey@commonEncryptionScheme combination)',
    title: 'All keys of a request have the same scheme',
    why: 'Key providers reject the request with "Non compliant ContentKey@commonEncryptionScheme combination".',
    fix: 'Send one request for cenc and another for cbcs.',
    *check({ request }) {
      const [first] = request.keys
      const other = request.keys.find(({ schemeText }) => schemeText !== undefined && schemeText !== first?.schemeText)
      if (other !== undefined && first?.schemeText !== undefined) {
        yield {
          what: 'the scheme differs from that of the first key',
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
    title: 'Every DRM system supports the scheme of its key',
    why: 'Key providers reject the request with "ContentKey@commonEncryptionScheme non compatible with DRMSystem …".',
    fix: 'Use cbcs for FairPlay, cbc1 for HLS AES-128, and cenc or cbcs for Widevine and PlayReady.',
    *check({ request }) {
      for (const { element, systemId, scheme, name } of request.systems) {
        const schemes = systemId && DRM_SYSTEMS.get(systemId)?.commonEncryptionSchemes
        if (schemes !== undefined && scheme !== undefined && !schemes.includes(scheme)) {
          yield { what: `${name} supports ${schemes.join(', ')}, but the scheme of its key is ${scheme}`, at: element }
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
    title: 'Every DRMSystem has a system ID and the kid of a ContentKey, and no pair occurs twice',
    why: 'Key providers reject the request: either no key exists to signal, or two elements ask for the same signalling.',
    fix: 'Set systemId and kid to UUIDs. Write one DRMSystem for each pair of key and DRM system.',
    *check({ request }) {
      const seen = new Set<string>()
      for (const { element, systemId, kid } of request.systems) {
        const pair = `${systemId} ${kid}`
        if (systemId === undefined) yield { what: '@systemId is not a UUID', at: element }
        if (!request.keys.some((key) => key.kid !== undefined && key.kid === kid)) {
          yield { what: 'no ContentKey has this kid', at: element, attribute: 'kid' }
        } else if (seen.has(pair)) yield { what: 'another DRMSystem has the same systemId and kid', at: element }
        seen.add(pair)
      }
    },
  },
  {
    id: 'drm-system-empty',
    group: 'request',
    spekeOnly: true,
    subject: 'request',
    severity: 'warning',
    clause: 'SPEKE 2.0, Standard payload components (the key provider fills the elements of the request)',
    title: 'Every DRMSystem of a request has elements to fill',
    why: 'A SPEKE key provider fills only the elements that the request contains, so the answer has no signalling for this system. OvenMediaEngine then stops with "cpix:PSSH node not found".',
    fix: 'Add the empty elements that you need: PSSH, ContentProtectionData, HLSSignalingData, in SPEKE 1.0 URIExtXKey. For CPIX without SPEKE, post the request to /copyProtectionData/{contentId} of Keyspring, which fills every element.',
    *check({ request }) {
      for (const { element, name, slots } of request.systems) {
        if (slots.length === 0) yield { what: `DRMSystem of ${name} has no element to fill`, at: element }
      }
    },
  },
  {
    id: 'playlists',
    group: 'request',
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (HLSSignalingData, media and master)',
    title: 'A DRMSystem asks for HLSSignalingData for both media and master',
    why: 'The encryptor requires both lines. Key providers reject one without the other, a duplicate, and any other playlist value.',
    fix: 'Write one HLSSignalingData with playlist="media" and one with playlist="master". SPEKE 2.1 also allows multiVariant instead of master.',
    *check({ request }) {
      for (const { element, slots } of request.systems) {
        const lines = slots.filter(({ kind }) => kind === 'hlsMedia' || kind === 'hlsMaster')
        const unknown = lines.find((slot) => {
          const playlist = attributeOf(slot.element, 'playlist')
          return playlist === undefined || !Object.hasOwn(request.version.playlists, playlist)
        })
        if (unknown !== undefined) {
          const known = Object.keys(request.version.playlists).join(', ')
          yield { what: `@playlist is not one of ${known}`, at: unknown.element }
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
    title: 'The elements that a key provider fills are empty in a request',
    why: 'Key providers replace existing text, or mistake it for signalling.',
    fix: 'Send PSSH, ContentProtectionData, HLSSignalingData and the other signalling elements empty.',
    *check({ request }) {
      for (const { slots } of request.systems) {
        for (const { text, element } of slots)
          if (text !== '') yield { what: `${element.local} contains text`, at: element }
      }
    },
  },
  {
    id: 'period-malformed',
    group: 'request',
    spekeOnly: true,
    subject: 'request',
    severity: 'error',
    clause: 'SPEKE 2.1, Standard payload components (ContentKeyPeriod)',
    title: 'A ContentKeyPeriod has an id and an index or interval',
    why: 'Key providers reject a period without index and interval, because they cannot tell which key it uses.',
    fix: 'Set id and index. SPEKE 2.1 also allows start and end, or startOffset and endOffset, with or without index.',
    *check({ request }) {
      const seen = new Set<string>()
      for (const element of request.periods) {
        const value = (name: string): string | undefined => attributeOf(element, name)
        const id = value('id')
        if (!id) yield { what: '@id is missing', at: element }
        else if (seen.has(id)) yield { what: 'another ContentKeyPeriod has the same id', at: element, attribute: 'id' }
        seen.add(id ?? '')
        const hasInterval = (value('start') ?? value('startOffset')) !== undefined
        const { periodBounds } = request.version
        const isBounded = value('index') !== undefined || (periodBounds === 'index-or-interval' && hasInterval)
        if (!isBounded && periodBounds !== 'any') yield { what: '@index is missing', at: element }
        for (const [from, to] of INTERVALS) {
          if ((value(from) === undefined) !== (value(to) === undefined)) {
            yield { what: `@${from} and @${to} must occur together`, at: element }
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
    title: 'Every recipient has an RSA certificate of at least 2048 bits',
    why: 'A key provider cannot encrypt keys for another certificate and rejects the request. If it answers in the clear instead, it discloses the keys.',
    fix: 'Write the DER bytes of an RSA-2048 certificate as base64 into DeliveryKey/ds:X509Data/ds:X509Certificate, without the BEGIN and END lines of PEM.',
    *check({ request }) {
      const { lists, deliveryData, document } = request
      if (lists.DeliveryDataList !== undefined && deliveryData.length === 0) {
        yield { what: 'DeliveryDataList has no DeliveryData', at: lists.DeliveryDataList }
      }
      for (const element of deliveryData) {
        const x509 = descendantOf(element, XMLDSIG_NAMESPACE, 'X509Certificate')
        const what = x509 === undefined ? 'X509Certificate is missing' : certificateProblem(textOf(document, x509))
        if (what !== undefined) yield { what, at: x509 ?? element }
      }
    },
  },
  {
    id: 'v1-in-v2-request',
    group: 'request',
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'warning',
    clause: 'SPEKE 2.0, Changes from SPEKE 1.0',
    title: 'A SPEKE 2 request contains nothing of SPEKE 1.0',
    why: 'Key providers remove these elements or copy them. MediaPackage v2 rejects an answer that still declares the SPEKE 1.0 namespace.',
    fix: 'Replace URIExtXKey with HLSSignalingData, and speke:ProtectionHeader with SmoothStreamingProtectionHeaderData.',
    *check({ request }) {
      for (const element of everyElement(request.root)) {
        if (isOfV1(element)) yield { what: `${element.name} belongs to SPEKE 1.0`, at: element }
      }
    },
  },
  {
    id: 'v1-several-keys',
    group: 'request',
    spekeOnly: true,
    subject: 'request',
    majors: [1],
    severity: 'error',
    clause: 'SPEKE 1.0, Constraints (one key)',
    title: 'A SPEKE 1.0 request asks for one key',
    why: 'SPEKE 1.0 does not support several tracks or keys for one content. Key providers reject the request or answer only one key.',
    fix: 'Ask for one key, or use SPEKE 2.0.',
    *check({ request }) {
      const beyond = request.keys[Math.max(1, request.periods.length)]
      if (beyond !== undefined)
        yield { what: `the request has ${request.keys.length} ContentKey elements`, at: beyond.element }
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
    if (publicKey.asymmetricKeyType !== 'rsa') return 'the certificate has no RSA key'
    return bits < MIN_MODULUS_BITS
      ? `the RSA key of the certificate has ${bits} bits, expected at least ${MIN_MODULUS_BITS}`
      : undefined
  } catch (error) {
    if (error instanceof Error) return 'the text is not base64 of a DER X.509 certificate'
    throw error
  }
}
