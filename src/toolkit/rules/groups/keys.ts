import { decodeUtf16le } from '../../../core/utf16.ts'
import { uuidBytes } from '../../../formats/cenc.ts'
import { SIXTEEN_BYTES } from '../../../formats/cpix/fields.ts'
import { FAIRPLAY } from '../../../formats/drm/facts.ts'
import { textOf } from '../../../formats/xml/reader.ts'
import { wrongNamespace } from '../../encryptor/answer/keys.ts'
import type { Rule } from '../rule.ts'
import { keyOfKid } from '../view.ts'

/** Rules about content keys and IVs. */
export const KEY_RULES: readonly Rule[] = [
  {
    id: 'key-missing',
    group: 'keys',
    spekeOnly: true,
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (ContentKey/Data/pskc:Secret)',
    title: 'Every ContentKey contains its key',
    why: 'The encryptor has no key and stops.',
    fix: 'Add Data/pskc:Secret/pskc:PlainValue. If the request has a DeliveryDataList, add EncryptedValue instead of PlainValue.',
    *check({ answer }) {
      for (const { element, plainValue, encryptedValue } of answer.keys) {
        if (plainValue === undefined && encryptedValue === undefined) {
          const what = wrongNamespace(element) ?? 'Data/pskc:Secret with a PlainValue or EncryptedValue is missing'
          yield { what, at: element }
        }
      }
    },
  },
  {
    id: 'key-size',
    group: 'keys',
    subject: 'answer',
    severity: 'error',
    clause: 'ISO/IEC 23001-7, 9 (AES-128)',
    title: 'A content key is base64 of 16 bytes',
    why: 'AES-128 uses 16 bytes. A key in hexadecimal, or a key that is base64 encoded twice, has 32 or 24 bytes and stops the encryptor.',
    fix: 'Encode the 16 raw bytes once as base64, with padding and without line breaks.',
    *check({ answer }) {
      for (const { plainValue } of answer.keys) {
        if (plainValue === undefined || SIXTEEN_BYTES.read(textOf(answer.document, plainValue)) !== undefined) continue
        yield { what: `PlainValue is not ${SIXTEEN_BYTES.expected}`, at: plainValue }
      }
    },
  },
  {
    id: 'key-shared',
    group: 'keys',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (a key for each rule)',
    title: 'Different kids have different keys',
    why: 'The encryption contract asks for separate keys. With one shared key, a device that may play audio or SD can also decrypt UHD.',
    fix: 'Derive or generate one key for each kid, not one for each content.',
    *check({ answer }) {
      const seen = new Set<string>()
      for (const { element, contentKey } of answer.keys) {
        if (contentKey === undefined) continue
        const hex = Buffer.from(contentKey).toString('hex')
        if (seen.has(hex)) yield { what: 'another kid of this answer has the same key', at: element }
        seen.add(hex)
      }
    },
  },
  {
    id: 'key-guessable',
    group: 'keys',
    subject: 'answer',
    severity: 'error',
    clause: 'ISO/IEC 23001-7, 9; good practice',
    title: 'A content key is neither its kid nor a repeated pattern',
    why: 'The kid is public: manifests and segments contain it. Anyone who tries the kid as key can decrypt the content.',
    fix: 'Generate keys with a cryptographic random source, or derive them from a secret.',
    *check({ answer }) {
      for (const { element, kid, contentKey } of answer.keys) {
        if (contentKey === undefined) continue
        const bytes = Buffer.from(contentKey)
        if (new Set(bytes).size <= 2) yield { what: 'the key repeats one or two byte values', at: element }
        else if (kid !== undefined && bytes.equals(uuidBytes(kid)))
          yield { what: 'the key equals its kid', at: element }
      }
    },
  },
  {
    id: 'key-in-signaling',
    group: 'keys',
    subject: 'answer',
    severity: 'error',
    clause: 'ISO/IEC 23001-7, 8.1; good practice',
    title: 'Signalling contains no content key',
    why: 'Signalling is public: manifests and segments contain it.',
    fix: 'Find the field that holds the key. Common places are content_id of a Widevine box and CUSTOMATTRIBUTES of a PlayReady header.',
    *check({ answer }) {
      const spellings = answer.keys.flatMap(({ contentKey }) =>
        contentKey === undefined ? [] : spellingsOf(contentKey),
      )
      for (const { slots } of answer.systems) {
        for (const { element, bytes } of slots) {
          const text = bytes === undefined ? '' : readable(bytes)
          if (spellings.some((spelling) => text.includes(spelling))) {
            yield { what: `${element.local} contains a content key`, at: element }
          }
        }
      }
    },
  },
  {
    id: 'iv-equals-key',
    group: 'keys',
    subject: 'answer',
    severity: 'error',
    clause: 'NIST SP 800-38A, 5.3 (IVs are public); ISO/IEC 23001-7, 8.2 (default_constant_IV)',
    title: 'An IV is not a content key',
    why: 'A constant IV is public (the tenc box contains it), so anyone can decrypt the content. The AWS reference server has this fault for FairPlay.',
    fix: 'Generate the IV from separate random bytes, or derive it with another label than the key.',
    *check({ answer }) {
      const keys = answer.keys.flatMap(({ contentKey }) => contentKey ?? [])
      for (const { element, iv } of answer.keys) {
        if (iv !== undefined && keys.some((key) => Buffer.compare(key, iv) === 0)) {
          yield { what: 'explicitIV equals a content key', at: element, attribute: 'explicitIV' }
        }
      }
    },
  },
  {
    id: 'iv-size',
    group: 'keys',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, ContentKey@explicitIV',
    title: 'explicitIV is base64 of 16 bytes',
    why: 'An IV in hexadecimal, or one of 8 bytes, stops the encryptor or corrupts the first block of every sample.',
    fix: 'Encode the 16 bytes of the IV as base64 (24 characters).',
    *check({ answer }) {
      for (const { element, ivText, iv } of answer.keys) {
        if (ivText !== undefined && iv === undefined) {
          yield { what: `explicitIV is not ${SIXTEEN_BYTES.expected}`, at: element, attribute: 'explicitIV' }
        }
      }
    },
  },
  {
    id: 'iv-not-echoed',
    group: 'keys',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (explicitIV)',
    title: 'The answer keeps explicitIV of the request unchanged',
    why: 'The encryptor encrypts with its own IV and the licence server sends another. FairPlay then shows garbage or nothing.',
    fix: 'Copy explicitIV. Generate an IV only if the request has none.',
    *check({ request, answer }) {
      for (const { kid, ivText, iv } of request.keys) {
        const answered = keyOfKid(answer, kid)
        if (ivText === undefined || answered === undefined) continue
        const same = iv !== undefined && answered.iv !== undefined && Buffer.compare(iv, answered.iv) === 0
        if (same || ivText === answered.ivText) continue
        yield { what: 'explicitIV differs from the request', at: answered.element, attribute: 'explicitIV' }
      }
    },
  },
  {
    id: 'iv-unasked-in-counter-mode',
    group: 'keys',
    spekeOnly: true,
    subject: 'pair',
    majors: [2],
    severity: 'warning',
    severityAs: { 'mediapackage-v2': 'off' },
    clause: 'CPIX 2.3, ContentKey@explicitIV (not recommended)',
    title: 'In counter mode, the answer has no explicitIV that the request did not ask for',
    why: 'Packagers start the counter at this IV. Two renditions with the same key then share a keystream (seen with Shaka Packager). MediaPackage v2 is the exception: it expects an IV.',
    fix: 'For cenc and cens, return explicitIV only if the request has the attribute.',
    *check({ request, answer }) {
      for (const { element, kid, scheme, ivText } of answer.keys) {
        const isCounter = scheme === 'cenc' || scheme === 'cens'
        if (isCounter && ivText !== undefined && keyOfKid(request, kid)?.ivText === undefined) {
          yield {
            what: `the request has no explicitIV, and ${scheme} starts its counter at the IV`,
            at: element,
            attribute: 'explicitIV',
          }
        }
      }
    },
  },
  {
    id: 'iv-missing-for-fairplay',
    group: 'keys',
    subject: 'answer',
    severity: 'warning',
    severityAs: { 'mediapackage-v2': 'error' },
    clause: 'CPIX 2.3, ContentKey@explicitIV; FairPlay Streaming Programming Guide',
    title: 'A key for FairPlay has an explicitIV',
    why: 'The FairPlay licence contains the IV, so encryptor and licence server must use the same one.',
    fix: 'Return explicitIV for cbcs. Choose it once for each kid and make it known to the licence server.',
    *check({ answer }) {
      const kids = new Set(answer.systems.filter(({ systemId }) => systemId === FAIRPLAY).map(({ kid }) => kid))
      for (const { element, kid, ivText } of answer.keys) {
        if (kids.has(kid) && ivText === undefined)
          yield { what: 'explicitIV is missing, and FairPlay requires it', at: element }
      }
    },
  },
  {
    id: 'iv-expected-by-mediapackage',
    group: 'keys',
    spekeOnly: true,
    subject: 'answer',
    majors: [2],
    severity: 'off',
    severityAs: { 'mediapackage-v2': 'error' },
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0',
    title: 'Every key for MediaPackage v2 has an explicitIV',
    why: 'The MediaPackage guide calls the IV optional, but its validation expects one for every scheme.',
    fix: 'Always return explicitIV. In Keyspring, set `signalingProfile: mediapackage-v2`.',
    *check({ answer }) {
      for (const { element, ivText } of answer.keys) {
        if (ivText === undefined) yield { what: 'explicitIV is missing', at: element }
      }
    },
  },
  {
    id: 'scheme-changed',
    group: 'keys',
    subject: 'pair',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (commonEncryptionScheme is never overridden)',
    title: 'The answer keeps commonEncryptionScheme unchanged',
    why: 'The encryptor uses the scheme it asked for. Signalling for another scheme does not play.',
    fix: 'Copy the attribute, including the HLS names of SPEKE 2.1.',
    *check({ request, answer }) {
      for (const { kid, schemeText } of request.keys) {
        const answered = keyOfKid(answer, kid)
        if (answered === undefined || schemeText === answered.schemeText) continue
        yield {
          what: 'commonEncryptionScheme differs from the request',
          at: answered.element,
          attribute: 'commonEncryptionScheme',
        }
      }
    },
  },
]

/** The ways to write a key: raw bytes, hexadecimal, base64 and base64url. */
function spellingsOf(key: Uint8Array): readonly string[] {
  const bytes = Buffer.from(key)
  const base64 = bytes.toString('base64').replaceAll('=', '')
  const hex = bytes.toString('hex')
  return [bytes.toString('latin1'), hex, hex.toUpperCase(), base64, bytes.toString('base64url')]
}

/** Decodes bytes as every kind of text they may contain: Latin-1, UTF-16, and base64 inside the text. */
function readable(bytes: Buffer): string {
  const latin1 = bytes.toString('latin1')
  const inner = [...latin1.matchAll(/[A-Za-z0-9+/]{24,}={0,2}/g)].map(([text]) => {
    const decoded = Buffer.from(text, 'base64')
    return decoded.toString('latin1') + decodeUtf16le(decoded)
  })
  return [latin1, decodeUtf16le(bytes), decodeUtf16le(bytes.subarray(1)), ...inner].join('\n')
}
