import { uuidBytes } from '../../../formats/cenc.ts'
import { SIXTEEN_BYTES } from '../../../formats/cpix/fields.ts'
import { textOf } from '../../../formats/xml/reader.ts'
import type { Rule } from '../rule.ts'
import { FAIRPLAY } from '../systems.ts'
import { keyOfKid } from '../view.ts'

/** Rules over content keys and IVs. @see speke.md 4.2, 5.3 */
export const KEY_RULES: readonly Rule[] = [
  {
    id: 'key-missing',
    group: 'keys',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (ContentKey/Data/pskc:Secret)',
    title: 'Every ContentKey holds its key',
    why: 'The encryptor has nothing to encrypt with and stops.',
    mend: 'Add Data/pskc:Secret/pskc:PlainValue, or EncryptedValue when the request has a DeliveryDataList.',
    *check({ answer }) {
      for (const { element, plainValue, encryptedValue } of answer.keys) {
        if (plainValue === undefined && encryptedValue === undefined) {
          yield { what: 'Data/pskc:Secret with a PlainValue or EncryptedValue is missing', at: element }
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
    title: 'A key is base64 of 16 bytes',
    why: 'AES-128 takes 16 bytes. Hex in base64, or a key that is base64 twice, gives 32 or 24 and stops the encryptor.',
    mend: 'Encode the 16 raw bytes once, with padding, without line breaks.',
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
    why: 'Who has the key of the audio or of SD has that of UHD too: the contract asked for the opposite.',
    mend: 'Derive or generate a key for each kid, not one for a content.',
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
    title: 'A key is neither its kid nor a pattern',
    why: 'The kid stands in every manifest and segment: whoever tries the obvious has the content.',
    mend: 'Take keys from a random source, or derive them with a secret that is not public.',
    *check({ answer }) {
      for (const { element, kid, contentKey } of answer.keys) {
        if (contentKey === undefined) continue
        const bytes = Buffer.from(contentKey)
        if (new Set(bytes).size <= 2) yield { what: 'the key is one or two bytes over and over', at: element }
        else if (kid !== undefined && bytes.equals(uuidBytes(kid)))
          yield { what: 'the key is its own kid', at: element }
      }
    },
  },
  {
    id: 'key-in-signaling',
    group: 'keys',
    subject: 'answer',
    severity: 'error',
    clause: 'ISO/IEC 23001-7, 8.1; good practice',
    title: 'No key stands in signalling or attributes',
    why: 'Signalling goes into manifests and segments, for everyone to read.',
    mend: 'Look which field was filled with the key: often contentId of a Widevine box, or CUSTOMATTRIBUTES.',
    *check({ answer }) {
      const spellings = answer.keys.flatMap(({ contentKey }) =>
        contentKey === undefined ? [] : spellingsOf(contentKey),
      )
      for (const { slots } of answer.systems) {
        for (const { element, bytes } of slots) {
          const text = bytes === undefined ? '' : readable(bytes)
          if (spellings.some((spelling) => text.includes(spelling))) {
            yield { what: `${element.local} holds a content key`, at: element }
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
    title: 'An IV is not the key',
    why: 'A constant IV is public (it stands in tenc): the content is open. The AWS reference server does this for FairPlay.',
    mend: 'Make the IV from other randomness, or derive it under another label.',
    *check({ answer }) {
      const keys = answer.keys.flatMap(({ contentKey }) => contentKey ?? [])
      for (const { element, iv } of answer.keys) {
        if (iv !== undefined && keys.some((key) => Buffer.compare(key, iv) === 0)) {
          yield { what: 'explicitIV is a content key', at: element, attribute: 'explicitIV' }
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
    why: 'A hexadecimal IV, or 8 bytes, stops the encryptor or shifts the first block of every sample.',
    mend: 'Encode 16 bytes as base64.',
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
    title: 'An explicitIV of the request comes back unchanged',
    why: 'The encryptor encrypts with its own IV, the licence server sends the other: FairPlay plays garbage or nothing.',
    mend: 'Echo explicitIV; make one only where none was sent.',
    *check({ request, answer }) {
      for (const { kid, ivText, iv } of request.keys) {
        const answered = keyOfKid(answer, kid)
        if (ivText === undefined || answered === undefined) continue
        const same = iv !== undefined && answered.iv !== undefined && Buffer.compare(iv, answered.iv) === 0
        if (same || ivText === answered.ivText) continue
        yield { what: 'explicitIV is not that of the request', at: answered.element, attribute: 'explicitIV' }
      }
    },
  },
  {
    id: 'iv-unasked-in-counter-mode',
    group: 'keys',
    subject: 'pair',
    majors: [2],
    severity: 'warning',
    severityAs: { 'mediapackage-v2': 'off' },
    clause: 'CPIX 2.3, ContentKey@explicitIV (not recommended)',
    title: 'In counter mode no explicitIV is returned that was not asked for',
    why: 'Packagers start the counter from it: two renditions under one key share a keystream (seen with Shaka Packager). MediaPackage v2 is the exception: it expects one.',
    mend: 'For cenc and cens return explicitIV only where the request has it.',
    *check({ request, answer }) {
      for (const { element, kid, scheme, ivText } of answer.keys) {
        const isCounter = scheme === 'cenc' || scheme === 'cens'
        if (isCounter && ivText !== undefined && keyOfKid(request, kid)?.ivText === undefined) {
          yield {
            what: `explicitIV was not asked for, and ${scheme} counts from it`,
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
    title: 'A key for FairPlay comes with its IV',
    why: 'FairPlay sends the IV with the licence: encryptor and licence server must know the same one.',
    mend: 'Return explicitIV for cbcs, made once for the kid and known to the licence server.',
    *check({ answer }) {
      const kids = new Set(answer.systems.filter(({ systemId }) => systemId === FAIRPLAY).map(({ kid }) => kid))
      for (const { element, kid, ivText } of answer.keys) {
        if (kids.has(kid) && ivText === undefined)
          yield { what: 'explicitIV is missing, and FairPlay needs it', at: element }
      }
    },
  },
  {
    id: 'iv-expected-by-mediapackage',
    group: 'keys',
    subject: 'answer',
    majors: [2],
    severity: 'off',
    severityAs: { 'mediapackage-v2': 'error' },
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0',
    title: 'MediaPackage v2 is given an explicitIV for every key',
    why: 'Its guide has the IV as optional, its test expects one, scheme unnamed.',
    mend: 'Return explicitIV always (Keyspring: `signalingProfile: mediapackage-v2`).',
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
    title: 'commonEncryptionScheme comes back unchanged',
    why: 'The encryptor encrypts with the scheme it asked for; signalling for another does not play.',
    mend: 'Echo the attribute, the HLS names of SPEKE 2.1 included.',
    *check({ request, answer }) {
      for (const { kid, schemeText } of request.keys) {
        const answered = keyOfKid(answer, kid)
        if (answered === undefined || schemeText === answered.schemeText) continue
        yield {
          what: 'commonEncryptionScheme is not that of the request',
          at: answered.element,
          attribute: 'commonEncryptionScheme',
        }
      }
    },
  },
]

/** How a key may be written. */
function spellingsOf(key: Uint8Array): readonly string[] {
  const bytes = Buffer.from(key)
  const base64 = bytes.toString('base64').replaceAll('=', '')
  const hex = bytes.toString('hex')
  return [bytes.toString('latin1'), hex, hex.toUpperCase(), base64, bytes.toString('base64url')]
}

/** Bytes as text in every way they may hold text, base64 inside base64 included. */
function readable(bytes: Buffer): string {
  const latin1 = bytes.toString('latin1')
  const inner = [...latin1.matchAll(/[A-Za-z0-9+/]{24,}={0,2}/g)].map(([text]) => {
    const decoded = Buffer.from(text, 'base64')
    return decoded.toString('latin1') + decoded.toString('utf16le')
  })
  return [latin1, bytes.toString('utf16le'), bytes.subarray(1).toString('utf16le'), ...inner].join('\n')
}
