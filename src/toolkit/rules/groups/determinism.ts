import { readEncrypted } from '../open-keys.ts'
import { kidsInBoxes } from '../payloads.ts'
import type { RelatedAnswer, Relation, Rule } from '../rule.ts'
import { type CpixView, filledSlot, keyOfKid } from '../view.ts'

const SAME_KEYS: readonly Relation[] = ['again', 'otherwise']

/** Rules over several answers of one key provider. @see speke.md 5.3, 8 */
export const DETERMINISM_RULES: readonly Rule[] = [
  {
    id: 'key-not-stable',
    group: 'determinism',
    subject: 'related',
    severity: 'error',
    clause: "MediaPackage User Guide, Implementing SPEKE 2.0 (key determinism); AWS's verification suite",
    title: 'The same content and kid always have the same key',
    why: 'Encryptors ask again after a restart, for each output, from two pipelines: segments of one track then have different keys and players stop in the middle.',
    mend: 'Keep the key of (content, kid), or derive it; compare kids without letter case; let neither version, DRM systems nor order matter.',
    *check({ answer, other }) {
      if (!SAME_KEYS.includes(other.relation)) return
      for (const { element, kid, contentKey } of answer.keys) {
        const before = keyOfKid(other.answer, kid)?.contentKey
        if (contentKey === undefined || before === undefined || Buffer.compare(contentKey, before) === 0) continue
        yield { what: `the key of ${kid} is another one: ${other.how}`, at: element }
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
    why: 'With a constant IV (cbcs, FairPlay) segments from before and after a restart need different ones, the licence has one.',
    mend: 'Derive the IV as the key, under another label, or keep it with the key.',
    *check({ answer, other }) {
      if (other.relation !== 'again') return
      for (const { element, kid, iv } of answer.keys) {
        const before = keyOfKid(other.answer, kid)?.iv
        if (iv === undefined || before === undefined || Buffer.compare(iv, before) === 0) continue
        yield { what: `explicitIV of ${kid} is another one: ${other.how}`, at: element, attribute: 'explicitIV' }
      }
    },
  },
  {
    id: 'signaling-not-stable',
    group: 'determinism',
    subject: 'related',
    severity: 'warning',
    clause: 'ISO/IEC 23001-7, 8.1',
    title: 'The same request always has the same signalling',
    why: 'Outputs and pipelines of one content then differ in their boxes; players take a changed box for a new key and ask again.',
    mend: 'Keep time, counters and random values out of boxes and lines.',
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
          yield { what: `${changed.element.local} is another one: ${other.how}`, at: changed.element }
      }
    },
  },
  {
    id: 'encrypted-key-differs',
    group: 'determinism',
    subject: 'related',
    severity: 'error',
    clause: 'SPEKE 2.0, Content key encryption; MediaPackage User Guide, Implementing SPEKE 2.0 (key determinism)',
    title: 'An encrypted key is the one that is given in the clear',
    why: 'Encryption is about the way the key travels; outputs that ask with and without it share a content and play together.',
    mend: 'Encrypt the key of (content, kid), not a new one.',
    *check({ answer, other }) {
      if (other.relation !== 'encryption') return
      for (const { element, kid, contentKey } of answer.keys) {
        const before = keyOfKid(other.answer, kid)?.contentKey
        if (contentKey === undefined || before === undefined || Buffer.compare(contentKey, before) === 0) continue
        yield { what: `the encrypted key of ${kid} is not the one in the clear`, at: element }
      }
    },
  },
  {
    id: 'document-key-reused',
    group: 'determinism',
    subject: 'related',
    severity: 'error',
    clause: 'CPIX 2.3, Key Management (random document key and IV)',
    title: 'Every answer is encrypted under a document key and IVs of its own',
    why: 'Equal ciphertexts tell that keys are equal, and a document key that is used for ever opens every answer once it is known.',
    mend: 'Draw 32 bytes of document key, 64 of MAC key and 16 of IV for each answer.',
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
    title: 'Other kids have other keys',
    why: 'Rotation wins nothing, and whoever may see one content can decrypt the other.',
    mend: 'Let the kid, and the contentId, go into the derivation of the key.',
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
        if (same !== undefined) yield { what: `the key of ${kid} is that of ${same.kid}: ${other.how}`, at: element }
      }
    },
  },
  {
    id: 'signaling-static',
    group: 'determinism',
    subject: 'related',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (signalling for each kid); ISO/IEC 23001-7, 8.1',
    title: 'Other kids have other signalling',
    why: 'Players ask for a licence of a content that is not this one. The AWS reference server answers with blobs from its configuration.',
    mend: 'Make box, PlayReady Object and line for content and kid of the request.',
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
      yield { what: `${system.name} is signalled exactly as for the kid ${same.kid}: ${other.how}`, at: system.element }
      break
    }
  }
}

function cipherOf(view: CpixView, kid: CpixView['keys'][number]['kid']): string | undefined {
  const key = keyOfKid(view, kid)
  return key?.encryptedValue && readEncrypted(view.document, key.encryptedValue)?.cipherValue
}
