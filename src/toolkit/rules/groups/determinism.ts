import { readEncryptedValue } from '../../../formats/cpix/encryption.ts'
import { kidsInBoxes } from '../payloads.ts'
import type { RelatedAnswer, Relation, Rule } from '../rule.ts'
import { type CpixView, filledSlot, keyOfKid } from '../view.ts'

const SAME_KEYS: readonly Relation[] = ['again', 'otherwise']

/** Rules about several answers of one key provider. */
export const DETERMINISM_RULES: readonly Rule[] = [
  {
    id: 'key-not-stable',
    group: 'determinism',
    subject: 'related',
    severity: 'error',
    clause: "MediaPackage User Guide, Implementing SPEKE 2.0 (key determinism); AWS's verification suite",
    title: 'The same content and kid always have the same key',
    why: 'Encryptors ask again after a restart, for each output, and from two pipelines. If the key changes, segments of one track have different keys and players stop.',
    fix: 'Store or derive the key by content ID and kid. Compare kids without regard to case. SPEKE version, the choice of DRM systems and element order must not change the key. Only HLS AES-128, SAMPLE-AES and ClearKey, whose players get the key itself, may have another key than DRM systems. Keyspring keeps these keys apart.',
    *check({ answer, other }) {
      if (!SAME_KEYS.includes(other.relation)) return
      for (const { element, kid, contentKey } of answer.keys) {
        const before = keyOfKid(other.answer, kid)?.contentKey
        if (contentKey === undefined || before === undefined || Buffer.compare(contentKey, before) === 0) continue
        yield { what: `the key of ${kid} has changed: ${other.how}`, at: element }
      }
    },
  },
  {
    id: 'iv-not-stable',
    group: 'determinism',
    subject: 'related',
    severity: 'error',
    clause:
      'SPEKE 2.0, Standard payload components (explicitIV); FairPlay Streaming Programming Guide (the IV comes with the licence)',
    title: 'The same content and kid always have the same IV',
    why: 'With a constant IV (cbcs, FairPlay), segments from before and after a restart require different IVs, but the licence contains only one.',
    fix: 'Derive the IV like the key, with another label, or store it with the key.',
    *check({ answer, other }) {
      if (other.relation !== 'again') return
      for (const { element, kid, iv } of answer.keys) {
        const before = keyOfKid(other.answer, kid)?.iv
        if (iv === undefined || before === undefined || Buffer.compare(iv, before) === 0) continue
        yield { what: `explicitIV of ${kid} has changed: ${other.how}`, at: element, attribute: 'explicitIV' }
      }
    },
  },
  {
    id: 'signaling-not-stable',
    group: 'determinism',
    subject: 'related',
    severity: 'warning',
    clause: 'ISO/IEC 23001-7, 8.1',
    title: 'The same request always gets the same signalling',
    why: 'Outputs and pipelines of one content get different boxes. Players treat a changed box as a new key and ask for another licence.',
    fix: 'Keep times, counters and random values out of boxes and HLS lines.',
    *check({ answer, other }) {
      if (other.relation !== 'again') return
      for (const system of answer.systems) {
        const before = other.answer.systems.find(
          ({ kid, systemId }) => kid === system.kid && systemId === system.systemId,
        )
        const changed = system.slots.find(
          ({ kind, text }) => before?.slots.some((slot) => slot.kind === kind && slot.text !== text) === true,
        )
        if (changed !== undefined)
          yield { what: `${changed.element.local} has changed: ${other.how}`, at: changed.element }
      }
    },
  },
  {
    id: 'encrypted-key-differs',
    group: 'determinism',
    subject: 'related',
    severity: 'error',
    clause: 'SPEKE 2.0, Content key encryption; MediaPackage User Guide, Implementing SPEKE 2.0 (key determinism)',
    title: 'The encrypted key equals the key in the clear',
    why: 'Encryption only protects the transport. Outputs that ask with and without encryption share a content and play together.',
    fix: 'Encrypt the key of this content ID and kid. Do not generate another one.',
    *check({ answer, other }) {
      if (other.relation !== 'encryption') return
      for (const { element, kid, contentKey } of answer.keys) {
        const before = keyOfKid(other.answer, kid)?.contentKey
        if (contentKey === undefined || before === undefined || Buffer.compare(contentKey, before) === 0) continue
        yield { what: `the encrypted key of ${kid} differs from the key in the clear`, at: element }
      }
    },
  },
  {
    id: 'document-key-reused',
    group: 'determinism',
    subject: 'related',
    severity: 'error',
    clause: 'CPIX 2.3, Key Management (random document key and IV)',
    title: 'Every answer has its own document key and IVs',
    why: 'Equal ciphertexts reveal that two keys are equal. A document key that never changes decrypts every answer once it leaks.',
    fix: 'Generate 32 random bytes for the document key, 64 for the MAC key and 16 for each IV in every answer.',
    *check({ answer, other }) {
      if (other.relation !== 'again') return
      for (const { data, kid } of answer.keys) {
        const [now, before] = [cipherOf(answer, kid), cipherOf(other.answer, kid)]
        if (data !== undefined && now !== undefined && now === before) {
          yield { what: `the ciphertext of ${kid} is the same: ${other.how}`, at: data }
        }
      }
    },
  },
  {
    id: 'key-not-rotated',
    group: 'determinism',
    subject: 'related',
    severity: 'error',
    clause: 'SPEKE 2.0, Key rotation',
    title: 'Different kids have different keys',
    why: 'Key rotation has no effect, and a device that may play one content can decrypt another.',
    fix: 'Derive the key from both the kid and the contentId.',
    *check({ answer, other }) {
      if (other.relation !== 'other-kids') return
      for (const { element, kid, contentKey } of answer.keys) {
        const same = other.answer.keys.find(
          (one) =>
            one.kid !== kid &&
            one.contentKey !== undefined &&
            contentKey !== undefined &&
            Buffer.compare(one.contentKey, contentKey) === 0,
        )
        if (same !== undefined)
          yield { what: `the key of ${kid} equals that of ${same.kid}, ${other.how}`, at: element }
      }
    },
  },
  {
    id: 'signaling-static',
    group: 'determinism',
    subject: 'related',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (signalling for each kid); ISO/IEC 23001-7, 8.1',
    title: 'Different kids have different signalling',
    why: 'Players ask for a licence of another content. The AWS reference server has this fault: it answers with values from its configuration.',
    fix: 'Build the box, the PlayReady Object and the HLS line for the content ID and kid of the request.',
    *check({ answer, other }) {
      if (other.relation !== 'other-kids') return
      yield* staticSignaling(answer, other)
    },
  },
]

function* staticSignaling(answer: CpixView, other: RelatedAnswer) {
  for (const system of answer.systems) {
    for (const kind of ['pssh', 'hlsMedia', 'uriExtXKey', 'smooth'] as const) {
      const bytes = filledSlot(system, kind)?.bytes
      if (bytes === undefined || system.kid === undefined) continue
      const same = other.answer.systems.find(
        (one) =>
          one.systemId === system.systemId &&
          one.kid !== system.kid &&
          filledSlot(one, kind)?.bytes.equals(bytes) === true,
      )
      if (same === undefined) continue
      const kids = kidsInBoxes(bytes)
      if (same.kid !== undefined && kids.includes(system.kid) && kids.includes(same.kid)) continue
      yield {
        what: `the ${system.name} signalling equals that of the kid ${same.kid}, ${other.how}`,
        at: system.element,
      }
      break
    }
  }
}

function cipherOf(view: CpixView, kid: CpixView['keys'][number]['kid']): string | undefined {
  const key = keyOfKid(view, kid)
  return key?.encryptedValue && readEncryptedValue(view.document, key.encryptedValue)?.cipherValue
}
