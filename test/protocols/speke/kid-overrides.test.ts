import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemIdOf } from '../../../src/formats/cenc.ts'
import { encodePssh } from '../../../src/formats/drm/payloads/pssh.ts'
import { attributeOf } from '../../../src/formats/xml/reader.ts'
import type { KidOverride } from '../../../src/keys/ports/content-store.ts'
import { fromHex, type PlayReadyVectors, vectors } from '../../formats/drm/vectors.ts'
import {
  answering,
  childText,
  decodedText,
  drmSystemOf,
  elementsOf,
  kidOf,
  plainKeys,
  refusalOf,
  testKey,
} from './answering.ts'
import {
  AES_128,
  COMMON_PSSH,
  documentOf,
  FAIRPLAY,
  KID,
  KID_2,
  KIDS,
  PLAYREADY,
  partsOf,
  requestFor,
  rule,
  WIDEVINE,
} from './documents.ts'

const NEW_KIDS = [
  'aaaaaaaa-0000-4000-8000-000000000001',
  'aaaaaaaa-0000-4000-8000-000000000002',
  'aaaaaaaa-0000-4000-8000-000000000003',
  'aaaaaaaa-0000-4000-8000-000000000004',
] as const
const override = (kid: string, intendedTrackType?: string, periodIndex?: number): KidOverride => ({
  intendedTrackType,
  periodIndex,
  kid: kidOf(kid),
})
const [A, B, C, D] = NEW_KIDS

const period = (id: string): string => `<cpix:KeyPeriodFilter periodId="${id}"/>`
/** Video in period 1, audio in period 1, video in period 2, a key of no period. */
const FOUR = documentOf({
  ...partsOf({ kids: KIDS.slice(0, 4), systems: [WIDEVINE, PLAYREADY] }),
  periods: '<cpix:ContentKeyPeriod id="p1" index="1"/><cpix:ContentKeyPeriod id="p2" index="2"/>',
  rules:
    rule(KIDS[0], 'VIDEO', `${period('p1')}<cpix:VideoFilter/>`) +
    rule(KIDS[1], 'AUDIO', `${period('p1')}<cpix:AudioFilter/>`) +
    rule(KIDS[2], 'VIDEO', `${period('p2')}<cpix:VideoFilter/>`) +
    rule(KIDS[3], 'CAPTIONS', '<cpix:AudioFilter/>'),
})

const kidsOf = async (kidOverrides: readonly KidOverride[], xml = FOUR): Promise<readonly (string | undefined)[]> => {
  const { document } = await answering({ content: { kidOverrides } })('2.0', xml)
  return elementsOf(document, 'ContentKey').map((element) => attributeOf(element, 'kid'))
}

describe('the most specific rule gives the kid', () => {
  const [k0, k1, k2, k3] = KIDS
  const ROWS: readonly (readonly [what: string, rules: readonly KidOverride[], kids: readonly string[]])[] = [
    ['no rule', [], [k0, k1, k2, k3]],
    ['a track type', [override(A, 'AUDIO')], [k0, A, k2, k3]],
    ['a track type that is not there', [override(A, 'VIDE')], [k0, k1, k2, k3]],
    ['a track type in other letters', [override(A, 'audio')], [k0, k1, k2, k3]],
    ['a track type named as a property of objects', [override(A, 'constructor')], [k0, k1, k2, k3]],
    ['a track type before a period for one key', [override(A, undefined, 1), override(B, 'AUDIO')], [A, B, k2, k3]],
    ['a period and a track type', [override(A, 'VIDEO', 1)], [A, k1, k2, k3]],
    ['a period that is not there', [override(A, 'VIDEO', 3)], [k0, k1, k2, k3]],
    ['both before a track type', [override(A, 'VIDEO'), override(B, 'VIDEO', 1)], [B, k1, A, k3]],
    ['both before a track type, in the other order', [override(B, 'VIDEO', 1), override(A, 'VIDEO')], [B, k1, A, k3]],
    [
      'a track type before a period',
      [override(A, undefined, 2), override(B, 'VIDEO', 1), override(C, 'AUDIO')],
      [B, C, A, k3],
    ],
    [
      'a period before neither',
      [override(A), override(B, undefined, 2), override(C, 'VIDEO', 1), override(D, 'AUDIO')],
      [C, D, B, A],
    ],
  ]
  for (const [what, rules, kids] of ROWS) {
    test(what, async () => assert.deepEqual(await kidsOf(rules), kids))
  }

  test('the order of rules does not matter', async () => {
    const rules = [override(A), override(B, undefined, 2), override(C, 'VIDEO', 1), override(D, 'AUDIO')]
    assert.deepEqual(await kidsOf(rules.toReversed()), await kidsOf(rules))
  })
})

describe('rules that give two keys one kid are refused', () => {
  for (const [what, rules] of [
    ['any', [override(A)]],
    ['a track type in two periods', [override(A, 'VIDEO')]],
    ['two rules of one kid', [override(A, 'AUDIO'), override(A, 'VIDEO', 1)]],
    ['a kid of the request that keeps its own', [override(KIDS[3], 'AUDIO')]],
  ] as const) {
    test(what, async () => {
      const { code, message } = await refusalOf(kidsOf(rules))
      assert.equal(code, 'ERR_KID_CONFLICT')
      assert.doesNotMatch(message, /aaaaaaaa/)
    })
  }

  test('but two keys may exchange theirs', async () => {
    const rules = [override(KIDS[1], 'VIDEO', 1), override(KIDS[0], 'AUDIO')]
    assert.deepEqual(await kidsOf(rules), [KIDS[1], KIDS[0], KIDS[2], KIDS[3]])
  })
})

describe('another kid stands everywhere (speke.md 10)', () => {
  const rules = [override(A, 'VIDEO'), override(B, 'AUDIO')]
  const kids = [KID, KID_2]

  for (const [scheme, systems] of [
    ['cenc', [WIDEVINE, PLAYREADY, COMMON_PSSH]],
    ['cbcs', [FAIRPLAY, WIDEVINE, PLAYREADY]],
    ['cbc1', [AES_128]],
  ] as const) {
    test(`the answer is that to a request for it (${scheme})`, async () => {
      const asked = requestFor({ kids, scheme, systems })
      const overridden = await answering({ content: { kidOverrides: rules } })('2.0', asked)
      const renamed = asked.replaceAll(KID, A).replaceAll(KID_2, B)
      assert.equal(overridden.xml, (await answering()('2.0', renamed)).xml)
      assert.deepEqual(
        overridden.issued.map(({ kid }) => kid),
        [A, B],
      )
      assert.deepEqual(
        overridden.records[0]?.keys.map(({ kid }) => kid),
        [A, B],
      )
      const hidden = [KID, KID_2].map((kid) => kid.replaceAll('-', ''))
      for (const text of decodedDeep(overridden.xml)) {
        for (const hex of hidden)
          assert.ok(!text.includes(hex) && !text.includes(Buffer.from(hex, 'hex').toString('latin1')))
      }
    })
  }

  test('however the request spells it', async () => {
    const asked = requestFor({ kids }).replace(KID, KID.toUpperCase())
    const { xml, document } = await answering({ content: { kidOverrides: rules } })('2.0', asked)
    assert.doesNotMatch(xml, new RegExp(`${KID}|${KID_2}`, 'i'))
    assert.deepEqual(Object.keys(plainKeys(document)), [A, B])
  })

  test('a kid that stays keeps its spelling', async () => {
    const asked = requestFor({ kids }).replaceAll(KID, KID.toUpperCase())
    const { xml } = await answering({ content: { kidOverrides: [override(KID, 'VIDEO')] } })('2.0', asked)
    assert.equal(xml.split(`kid="${KID.toUpperCase()}"`).length, 4)
  })

  test('periods, ids and order stay', async () => {
    const { xml } = await answering({ content: { kidOverrides: [override(A, 'VIDEO', 1)] } })('2.0', FOUR)
    assert.ok(xml.includes('<cpix:ContentKeyPeriod id="p1" index="1"/><cpix:ContentKeyPeriod id="p2" index="2"/>'))
    assert.ok(xml.includes(`<cpix:ContentKeyUsageRule kid="${A}" intendedTrackType="VIDEO">${period('p1')}`))
  })

  test('in SPEKE 1.0, by the index of its period', async () => {
    const asked = documentOf({
      root: 'id="movie"',
      contentKeys: `<cpix:ContentKey kid="${KID}"/>`,
      drmSystems: `<cpix:DRMSystem kid="${KID}" systemId="${WIDEVINE}"><cpix:PSSH/></cpix:DRMSystem>`,
      periods: '<cpix:ContentKeyPeriod id="p" index="11425"/>',
      rules: `<cpix:ContentKeyUsageRule kid="${KID}">${period('p')}</cpix:ContentKeyUsageRule>`,
    })
    const kidOverrides = [override(A, undefined, 11425), override(B)]
    const { xml } = await answering({ content: { kidOverrides } })(undefined, asked)
    assert.equal(xml, (await answering()(undefined, asked.replaceAll(KID, A))).xml)
  })

  test('an encrypted value is that of the other kid', async () => {
    const { document } = await answering({ content: { kidOverrides: [override(A)] } })('2.0', requestFor())
    const expected = Buffer.from(testKey({ kid: kidOf(A), contentKeyClass: 'drm' }).contentKey).toString('base64')
    assert.deepEqual(plainKeys(document), { [A]: expected })
  })
})

/** The text of an answer with every base64 in it decoded, once and twice, as hex and as characters. */
function decodedDeep(xml: string): string[] {
  const layers = [xml]
  for (const text of layers.slice()) {
    for (const [match] of text.matchAll(/[A-Za-z0-9+/]{40,}={0,2}/g)) {
      const bytes = Buffer.from(match, 'base64')
      layers.push(bytes.toString('hex'), bytes.toString('latin1'))
      for (const [inner] of bytes.toString('latin1').matchAll(/[A-Za-z0-9+/]{40,}={0,2}/g)) {
        layers.push(Buffer.from(inner, 'base64').toString('hex'), Buffer.from(inner, 'base64').toString('utf16le'))
      }
    }
  }
  return layers
}

describe('a ready-made pssh box', () => {
  const { object } =
    vectors<PlayReadyVectors>('playready.json').objects.find(({ version }) => version === '4.1.0.0') ?? assert.fail()
  const widevineBox = encodePssh({
    systemId: systemIdOf(WIDEVINE),
    kids: [],
    data: fromHex('0801120b636f6e74656e742d303031'),
  })
  const playreadyBox = encodePssh({ systemId: systemIdOf(PLAYREADY), kids: [], data: Buffer.from(object, 'base64') })
  const content = {
    signalingRevision: 'r1',
    pssh: ({ kid }: { kid: string }) =>
      kid === KID ? { [WIDEVINE]: widevineBox, [PLAYREADY]: playreadyBox } : undefined,
  }
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

  test('stands in PSSH, ContentProtectionData, the HLS lines and Smooth', async () => {
    const asked = requestFor({ kids: [KID, KID_2], systems: [WIDEVINE, PLAYREADY] })
    const { document } = await answering({ content })('2.0', asked)
    const widevine = drmSystemOf(document, WIDEVINE, KID)
    assert.equal(childText(document, widevine, 'PSSH'), base64(widevineBox))
    assert.ok(decodedText(document, widevine, 'ContentProtectionData').includes(`>${base64(widevineBox)}<`))
    for (const playlist of ['media', 'master']) {
      assert.ok(decodedText(document, widevine, `HLSSignalingData@${playlist}`).includes(`,${base64(widevineBox)}"`))
    }
    const playready = drmSystemOf(document, PLAYREADY, KID)
    assert.equal(childText(document, playready, 'PSSH'), base64(playreadyBox))
    assert.equal(childText(document, playready, 'SmoothStreamingProtectionHeaderData'), object)
    assert.ok(decodedText(document, playready, 'ContentProtectionData').includes(`>${object}</mspr:pro>`))
    for (const playlist of ['media', 'master']) {
      assert.ok(decodedText(document, playready, `HLSSignalingData@${playlist}`).includes(`,${object}"`))
    }
  })

  test('is of its key alone', async () => {
    const asked = requestFor({ kids: [KID, KID_2], systems: [WIDEVINE] })
    const [with_, without] = [await answering({ content })('2.0', asked), await answering()('2.0', asked)]
    const other = (outcome: typeof with_) =>
      childText(outcome.document, drmSystemOf(outcome.document, WIDEVINE, KID_2), 'PSSH')
    assert.equal(other(with_), other(without))
  })

  test('stands in SPEKE 1.0 too', async () => {
    const asked = documentOf({
      root: 'id="movie" xmlns:speke="urn:aws:amazon:com:speke"',
      contentKeys: `<cpix:ContentKey kid="${KID}"/>`,
      drmSystems: `<cpix:DRMSystem kid="${KID}" systemId="${PLAYREADY}"><speke:ProtectionHeader/><cpix:PSSH/></cpix:DRMSystem>`,
    })
    const { document } = await answering({ content })(undefined, asked)
    const playready = drmSystemOf(document, PLAYREADY, KID)
    assert.equal(childText(document, playready, 'PSSH'), base64(playreadyBox))
    assert.equal(childText(document, playready, 'ProtectionHeader'), object)
  })

  test('is taken for the kid that is answered, not the one that was asked for', async () => {
    const asked = requestFor({ kids: [KID_2] })
    const { document } = await answering({ content: { ...content, kidOverrides: [override(KID)] } })('2.0', asked)
    assert.equal(childText(document, drmSystemOf(document, WIDEVINE, KID), 'PSSH'), base64(widevineBox))
  })

  test('of another system is refused', async () => {
    const wrong = { signalingRevision: 'r', pssh: () => ({ [WIDEVINE]: playreadyBox }) }
    const { code } = await refusalOf(answering({ content: wrong })('2.0', requestFor()))
    assert.equal(code, 'ERR_SIGNALING_INVALID')
  })
})
