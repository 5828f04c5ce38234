import { attributeOf } from '../../../src/formats/xml/reader.ts'
import type { JudgedReply } from '../../../src/toolkit/rules/rule.ts'
import { changeAttribute, changeBytes, changeText } from '../rules/editing.ts'
import type { Damage, Received } from './provider.ts'

/** A key provider with a fault in its behaviour, and the rule that must find it. */
export interface BrokenProvider {
  readonly rule: string
  readonly how: string
  /** The checks that find it. */
  readonly only: string
  /** Returns a damage with its own state. */
  readonly damage: () => Damage
}

const SIMPLE = 'http/2.0/usual'

const withText = (reply: JudgedReply, change: (text: string) => string): JudgedReply =>
  reply.status === 200 ? { ...reply, body: Buffer.from(change(Buffer.from(reply.body).toString())) } : reply
const withHeader =
  (name: string, value: string | undefined): (() => Damage) =>
  () =>
  (reply) => {
    const { [name]: _, ...headers } = reply.headers
    return { ...reply, headers: value === undefined ? headers : { ...headers, [name]: value } }
  }
const onRefusal =
  (change: (reply: JudgedReply, received: Received) => JudgedReply): (() => Damage) =>
  () =>
  (reply, received) =>
    reply.status === 200 ? reply : change(reply, received)
const saying =
  (text: string) =>
  (reply: JudgedReply): JudgedReply => ({ ...reply, body: Buffer.from(text) })
const accepted = (reply: JudgedReply, { body }: Received): JudgedReply => ({
  ...reply,
  status: 200,
  headers: { ...reply.headers, 'content-type': 'application/xml' },
  body: Buffer.from(body.replace('</cpix:CPIX>', '<pskc:PlainValue>AAAA</pskc:PlainValue></cpix:CPIX>')),
})
const randomKey = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64')

/** Faulty key providers for every rule about replies, rejections and several answers. */
export const BROKEN_PROVIDERS: readonly BrokenProvider[] = [
  { rule: 'no-answer', how: 'closes the connection', only: SIMPLE, damage: () => (reply) => ({ ...reply, status: 0 }) },
  {
    rule: 'right-request-refused',
    how: 'knows one prefix alone',
    only: 'robustness/unusual/prefixes',
    damage:
      () =>
      (reply, { body }) =>
        body.includes('<cpix:') ? reply : { ...reply, status: 422, body: Buffer.from('Malformed CPIX document') },
  },
  { rule: 'right-request-refused', how: '201', only: SIMPLE, damage: () => (reply) => ({ ...reply, status: 201 }) },
  {
    rule: 'feature-not-offered',
    how: 'rejects encryption',
    only: 'encryption/2.0/same-keys',
    damage:
      () =>
      (reply, { body }) =>
        body.includes('DeliveryData') ? { ...reply, status: 422, body: Buffer.from('not supported') } : reply,
  },
  { rule: 'content-type', how: 'text/html', only: SIMPLE, damage: withHeader('content-type', 'text/html') },
  {
    rule: 'content-type',
    how: 'ISO 8859-1',
    only: SIMPLE,
    damage: withHeader('content-type', 'application/xml; charset=iso-8859-1'),
  },
  { rule: 'speke-version-header', how: 'none', only: SIMPLE, damage: withHeader('x-speke-version', undefined) },
  { rule: 'speke-version-header', how: 'always 2.1', only: SIMPLE, damage: withHeader('x-speke-version', '2.1') },
  { rule: 'user-agent-header', how: 'none', only: SIMPLE, damage: withHeader('x-speke-user-agent', undefined) },
  {
    rule: 'cacheable-keys',
    how: 'for an hour',
    only: SIMPLE,
    damage: withHeader('cache-control', 'public, max-age=3600'),
  },

  {
    rule: 'key-not-stable',
    how: 'random keys',
    only: 'determinism/2.0/again/cenc',
    damage: () => (reply) => withText(reply, (text) => changeText(text, 'PlainValue', randomKey)),
  },
  {
    rule: 'key-not-stable',
    how: 'other keys for kids in upper case',
    only: 'determinism/2.0/upper-case',
    damage:
      () =>
      (reply, { body }) =>
        /kid="[^"]*[A-F]/.test(body) ? withText(reply, (text) => changeText(text, 'PlainValue', randomKey)) : reply,
  },
  {
    rule: 'key-not-stable',
    how: 'a race of first requests',
    only: 'determinism/2.0/at-once',
    damage: () => (reply) => withText(reply, (text) => changeText(text, 'PlainValue', randomKey)),
  },
  {
    rule: 'iv-not-stable',
    how: 'random IVs',
    only: 'determinism/2.0/again/cbcs',
    damage: () => (reply) => withText(reply, (text) => changeAttribute(text, 'ContentKey', 'explicitIV', randomKey)),
  },
  {
    rule: 'signaling-not-stable',
    how: 'a counter in every line',
    only: 'determinism/2.0/again/cenc',
    damage: () => {
      let count = 0
      return (reply) =>
        withText(reply, (text) =>
          changeBytes(text, 'HLSSignalingData', undefined, (line) => `${line},X-COUNT=${count++}`),
        )
    },
  },
  {
    rule: 'encrypted-key-differs',
    how: 'other keys in the clear',
    only: 'encryption/2.0/same-keys',
    damage: () => (reply) =>
      withText(reply, (text) => changeText(text, 'PlainValue', () => 'AAECAwQFBgcICQoLDA0ODw==')),
  },
  {
    rule: 'document-key-reused',
    how: 'keeps what it encrypted',
    only: 'encryption/2.0/fresh',
    damage: () => {
      const kept = new Map<string, JudgedReply>()
      return (reply, { body }) => {
        const before = kept.get(body) ?? reply
        kept.set(body, before)
        return before
      }
    },
  },
  {
    rule: 'key-not-rotated',
    how: 'one key for ever',
    only: 'determinism/2.0/other-content',
    damage: () => (reply) =>
      withText(reply, (text) => changeText(text, 'PlainValue', () => 'AAECAwQFBgcICQoLDA0ODw==')),
  },
  {
    rule: 'signaling-static',
    how: 'the boxes of its first answer for ever',
    only: 'determinism/2.0/other-content',
    damage: () => {
      const boxes = new Map<string, Buffer>()
      return (reply) =>
        withText(reply, (text) =>
          changeBytes(text, 'PSSH', undefined, (bytes, _kid, element) => {
            const system = (element.parent && attributeOf(element.parent, 'systemId')) ?? ''
            const first = boxes.get(system) ?? bytes
            boxes.set(system, first)
            return first
          }),
        )
    },
  },

  {
    rule: 'wrong-request-accepted',
    how: 'looks at no filter',
    only: 'contract/2.0/label-filter',
    damage: onRefusal(accepted),
  },
  {
    rule: 'wrong-request-accepted',
    how: 'takes cenc with FairPlay',
    only: 'schemes/2.0/fairplay/cenc',
    damage: onRefusal(accepted),
  },
  {
    rule: 'unsafe-contract-accepted',
    how: 'one key for audio and UHD',
    only: 'contract/2.0/audio-with-uhd',
    damage: onRefusal(accepted),
  },
  {
    rule: 'bomb-accepted',
    how: 'reads a DOCTYPE',
    only: 'robustness/attack/billion-laughs',
    damage: onRefusal(accepted),
  },
  {
    rule: 'entity-resolved',
    how: 'resolves entities',
    only: 'robustness/attack/entity',
    damage: onRefusal((reply, { body }) => {
      const [, entity = ''] = /<!ENTITY e "([^"]+)"/.exec(body) ?? []
      return accepted(reply, { body: body.replace(/<!DOCTYPE[^\]]*\]>/, '').replace('&e;', entity), version: '2.0' })
    }),
  },
  {
    rule: 'error-with-status-200',
    how: 'every refusal with 200',
    only: 'errors/2.0/schemes-mixed',
    damage: onRefusal((reply) => ({ ...reply, status: 200 })),
  },
  {
    rule: 'error-status-5xx',
    how: 'every refusal with 500',
    only: 'errors/2.0/schemes-mixed',
    damage: onRefusal((reply) => ({ ...reply, status: 500 })),
  },
  {
    rule: 'error-message',
    how: 'its own words',
    only: 'errors/2.0/content-id-missing',
    damage: onRefusal(saying('contentId is required')),
  },
  {
    rule: 'error-message',
    how: 'the kid in other letters',
    only: 'errors/2.0/scheme-of-system-as-spelled',
    damage: onRefusal((reply) => ({ ...reply, body: Buffer.from(Buffer.from(reply.body).toString().toLowerCase()) })),
  },
  {
    rule: 'error-message',
    how: 'more than the message',
    only: 'errors/2.0/schemes-mixed',
    damage: onRefusal((reply) => ({ ...reply, body: Buffer.from(`error: ${Buffer.from(reply.body)}`) })),
  },
  { rule: 'error-without-words', how: 'no body', only: 'negative/2.0/kid-nil', damage: onRefusal(saying('')) },
  {
    rule: 'error-tells-too-much',
    how: 'a stack trace',
    only: 'negative/2.0/kid-nil',
    damage: onRefusal(saying('java.lang.NullPointerException: kid\n\tat com.example.Speke.answer(Speke.java:42)')),
  },
  {
    rule: 'error-headers',
    how: 'a gateway that answers itself',
    only: 'negative/2.0/kid-nil',
    damage: onRefusal((reply) => ({ ...reply, headers: { 'content-type': 'text/plain' } })),
  },
]
