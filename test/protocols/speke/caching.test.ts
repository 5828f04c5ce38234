import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { toSkeleton } from '../../../src/core/template.ts'
import { type KeyAndIv, type Kid, systemIdOf } from '../../../src/formats/cenc.ts'
import { encodePssh } from '../../../src/formats/drm/payloads/pssh.ts'
import { readXml } from '../../../src/formats/xml/reader.ts'
import type { ContentKeys, OpenContent, WantedKey } from '../../../src/keys/content/content-key.ts'
import type { ContentRef } from '../../../src/keys/ports/content-ref.ts'
import type { KidOverride } from '../../../src/keys/ports/content-store.ts'
import { describeAnswer } from '../../../src/protocols/speke/describe.ts'
import { layoutAnswer } from '../../../src/protocols/speke/layout.ts'
import { DEFAULT_POLICY, DEFAULT_PROFILE, MEDIAPACKAGE_V2_PROFILE } from '../../../src/protocols/speke/profile.ts'
import { readSpekeDocument } from '../../../src/protocols/speke/request.ts'
import { Signaler } from '../../../src/protocols/speke/signaler.ts'
import { PlayerUrls } from '../../../src/protocols/speke/urls.ts'
import { answering, elementsOf, findBuiltIn, kidOf, openContentOf, plainKeys, refusalOf, testKey } from './answering.ts'
import {
  CLEARKEY_DASH,
  COMMON_PSSH,
  FAIRPLAY,
  KID,
  KID_2,
  KIDS,
  PLAYREADY,
  requestFor,
  rule,
  WIDEVINE,
} from './documents.ts'

/** Keys that differ by tenant and content, and what was opened. */
function tenantsKeys(): { contentKeys: ContentKeys; opened: ContentRef[]; set: (kidOverrides: KidOverride[]) => void } {
  const opened: ContentRef[] = []
  let kidOverrides: readonly KidOverride[] = []
  const keyAndIv = ({ tenant, contentId }: ContentRef, { kid, contentKeyClass }: WantedKey): KeyAndIv => {
    const bytes = (use: string): Buffer =>
      createHash('sha256')
        .update(JSON.stringify([use, tenant, contentId, kid, contentKeyClass]))
        .digest()
    return { contentKey: bytes('key').subarray(0, 16), explicitIv: bytes('iv').subarray(0, 16) }
  }
  const contentKeys: ContentKeys = {
    async open(ref): Promise<OpenContent> {
      opened.push(ref)
      return openContentOf({
        kidOverrides,
        signalingRevision: kidOverrides.map(({ kid }) => kid).join(),
        issue: async (wanted) => ({ keys: wanted.map((one) => keyAndIv(ref, one)), first: false }),
      })
    },
  }
  return {
    contentKeys,
    opened,
    set: (next) => {
      kidOverrides = next
    },
  }
}

const wide = requestFor({ kids: KIDS.slice(0, 4), systems: [WIDEVINE, PLAYREADY, COMMON_PSSH, CLEARKEY_DASH] })
const fairplay = requestFor({ scheme: 'cbcs', systems: [FAIRPLAY, WIDEVINE, PLAYREADY], contentId: 'příběh &amp; 🔑' })

describe('the same request', () => {
  for (const [what, xml] of [
    ['four systems', wide],
    ['FairPlay and a contentId beyond ASCII', fairplay],
  ] as const) {
    test(`gives the same bytes each time, kept or not (${what})`, async () => {
      const machine = answering()
      const first = await machine('2.0', xml)
      for (let i = 0; i < 4; i++) assert.equal((await machine('2.0', xml)).xml, first.xml)
      assert.equal((await answering()('2.0', xml)).xml, first.xml)
    })
  }

  test('is reported to the ledger each time, and its keys are issued each time', async () => {
    const machine = answering()
    for (let i = 0; i < 4; i++) {
      const { records, issued } = await machine('2.0', wide)
      assert.equal(records.length, 1)
      assert.equal(issued.length, 4)
    }
  })

  test('is refused each time where it is refused', async () => {
    const machine = answering()
    const xml = requestFor({}, { rules: '' })
    for (let i = 0; i < 4; i++) assert.equal((await refusalOf(machine('2.0', xml))).code, 'ERR_SPEKE_CONTRACT_MISSING')
  })

  test('is refused under a header that does not fit, after it was answered under one that does', async () => {
    const machine = answering()
    for (let i = 0; i < 3; i++) await machine('2.0', wide)
    for (const header of [undefined, '', '1.0', '2.1', '2.00']) await refusalOf(machine(header, wide))
  })

  test('asked at the same moment gives the same bytes', async () => {
    const machine = answering()
    const answers = await Promise.all(Array.from({ length: 20 }, () => machine('2.0', wide)))
    assert.equal(new Set(answers.map(({ xml }) => xml)).size, 1)
  })
})

describe('no request gets the answer of another', () => {
  const CALLERS = [
    { tenant: 'a', client: 'c' },
    { tenant: 'b', client: 'c' },
    { tenant: 'a', client: 'd' },
    { tenant: 'a\nb', client: 'c' },
    { tenant: 'a', client: 'b\nc' },
    { tenant: 'a\n1:c', client: '' },
    { tenant: '', client: 'a\nc' },
    { tenant: 'ac', client: '' },
  ]
  test('whatever the names of tenants and clients', async () => {
    const { contentKeys } = tenantsKeys()
    const machine = answering({ contentKeys })
    const keyOf = new Map<string, unknown>()
    for (let round = 0; round < 4; round++) {
      for (const caller of CALLERS) {
        const { document, records } = await machine('2.0', fairplay, caller)
        assert.equal(records[0]?.tenant, caller.tenant)
        assert.equal(records[0]?.client, caller.client)
        const key = plainKeys(document)[KID]
        assert.equal(keyOf.get(caller.tenant) ?? key, key)
        keyOf.set(caller.tenant, key)
      }
    }
    assert.equal(new Set(keyOf.values()).size, keyOf.size)
  })

  test('nor the signalling of another content of another tenant', async () => {
    const { contentKeys } = tenantsKeys()
    const machine = answering({ contentKeys })
    const seen = new Set<string>()
    for (const [tenant, contentId] of [
      ['a', 'b&#10;c'],
      ['a\nb', 'c'],
      ['a', 'c'],
      ['a\n', 'b&#10;c'],
    ] as const) {
      const { document } = await machine('2.0', requestFor({ systems: [CLEARKEY_DASH], contentId }), { tenant })
      const [data] = elementsOf(document, 'ContentProtectionData')
      seen.add(data === undefined ? '' : document.source.slice(data.contentStart, data.contentEnd))
    }
    assert.equal(seen.size, 4)
  })

  test('nor one whose version, key or period differs', async () => {
    const machine = answering()
    const requests = [
      ['2.0', requestFor()],
      ['2.1', requestFor({}, { root: 'contentId="movie" version="2.4"' })],
      [undefined, requestFor({}, { root: 'id="movie"' })],
      ['2.0', requestFor({ kids: [KID_2] })],
      ['2.0', requestFor({ contentId: 'other' })],
    ] as const
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(requests.map(([header, xml]) => machine(header, xml)))
      assert.equal(new Set(answers.map(({ xml }) => xml)).size, requests.length)
    }
  })
})

describe('the signalling of a kid is not that of the same kid asked for in another way', () => {
  const period = (kid: string, id: string): string =>
    rule(kid, `T${kid}${id}`, `<cpix:KeyPeriodFilter periodId="${id}"/><cpix:VideoFilter/>`)
  const periods = '<cpix:ContentKeyPeriod id="a" index="1"/><cpix:ContentKeyPeriod id="b" index="2"/>'
  const boxes = { kids: [KID, KID_2], systems: [COMMON_PSSH] }
  const withIv = (iv: string, systemId: string = FAIRPLAY): string =>
    requestFor(
      { systems: [systemId] },
      { contentKeys: `<cpix:ContentKey kid="${KID}" commonEncryptionScheme="cbcs" explicitIV="${iv}"/>` },
    )
  const PAIRS: Readonly<Record<string, readonly [string, string]>> = {
    'its scheme': [requestFor({ scheme: 'cenc' }), requestFor({ scheme: 'cbcs' })],
    'its scheme, under one IV': [
      withIv('L6jzdXrXAFbCJGBuMrrKrA==', WIDEVINE),
      withIv('L6jzdXrXAFbCJGBuMrrKrA==', WIDEVINE).replace('"cbcs"', '"cenc"'),
    ],
    'its IV': [withIv('L6jzdXrXAFbCJGBuMrrKrA=='), withIv('XwvaqRXqiqztaK7XvfTD0g==')],
    'an IV and none': [withIv('L6jzdXrXAFbCJGBuMrrKrA=='), requestFor({ scheme: 'cbcs', systems: [FAIRPLAY] })],
    'the keys of its period': [
      requestFor(boxes, { periods, rules: period(KID, 'a') + period(KID_2, 'a') }),
      requestFor(boxes, { periods, rules: period(KID, 'a') + period(KID_2, 'b') }),
    ],
    'its content': [
      requestFor({ scheme: 'cbcs', systems: [FAIRPLAY] }),
      requestFor({ scheme: 'cbcs', systems: [FAIRPLAY], contentId: 'other' }),
    ],
    'its system': [requestFor({ systems: [WIDEVINE] }), requestFor({ systems: [PLAYREADY] })],
  }
  for (const [what, pair] of Object.entries(PAIRS)) {
    test(what, async () => {
      for (const requests of [pair, pair.toReversed()]) {
        const machine = answering()
        for (const xml of [...requests, ...requests]) {
          assert.equal((await machine('2.0', xml)).xml, (await answering()('2.0', xml)).xml)
        }
      }
    })
  }

  test('a ready-made box that comes or goes', async () => {
    let isThere = false
    const box = encodePssh({ systemId: systemIdOf(WIDEVINE), kids: [], data: Uint8Array.of(0x08, 0x01) })
    const contentKeys: ContentKeys = {
      open: async () => {
        const now = isThere
        return openContentOf({
          signalingRevision: now ? 'box' : '',
          pssh: () => (now ? { [systemIdOf(WIDEVINE)]: box } : undefined),
          issue: async (wanted) => ({ keys: wanted.map(testKey), first: false }),
        })
      },
    }
    const machine = answering({ contentKeys })
    for (const there of [false, true, false, true, true, false]) {
      isThere = there
      const { xml } = await machine('2.0', requestFor())
      assert.equal(xml.includes(Buffer.from(box).toString('base64')), there)
    }
  })
})

describe('what is stored of a content and changes', () => {
  const anyKid = (kid: string): KidOverride => ({
    intendedTrackType: undefined,
    periodIndex: undefined,
    kid: kidOf(kid),
  })

  test('changes the answer to a request that was kept, at once and back again', async () => {
    const { contentKeys, set } = tenantsKeys()
    const machine = answering({ contentKeys })
    const answer = async (): Promise<string> => (await machine('2.0', requestFor({ systems: [PLAYREADY] }))).xml
    const before = await answer()
    for (let i = 0; i < 3; i++) assert.equal(await answer(), before)
    set([anyKid(KID_2)])
    const after = await answer()
    assert.ok(after.includes(KID_2) && !after.includes(KID))
    for (let i = 0; i < 3; i++) assert.equal(await answer(), after)
    set([])
    for (let i = 0; i < 3; i++) assert.equal(await answer(), before)
  })

  test('is laid out once for all that follow', async () => {
    const { contentKeys, set } = tenantsKeys()
    let asked = 0
    const machine = answering({
      contentKeys,
      findDrmSystem: (systemId, major) => {
        asked++
        return findBuiltIn(systemId, major)
      },
    })
    const answer = () => machine('2.0', requestFor())
    for (let i = 0; i < 3; i++) await answer()
    set([anyKid(KID_2)])
    for (let i = 0; i < 3; i++) await answer()
    const before = asked
    for (let i = 0; i < 3; i++) await answer()
    assert.equal(asked, before)
  })
})

describe('what is kept of an answer', () => {
  const profiles = [DEFAULT_PROFILE, MEDIAPACKAGE_V2_PROFILE]
  for (const [what, xml] of [
    ['four systems', wide],
    ['FairPlay', fairplay],
  ] as const) {
    for (const profile of profiles) {
      test(`holds no key and nothing computed from one (${what}, ${profile.name})`, () => {
        const document = readSpekeDocument('2.0', readXml(Buffer.from(xml)), findBuiltIn, DEFAULT_POLICY)
        const kids = new Map<Kid, Kid>()
        const keys = describeAnswer(document, kids, profile)
        const content = openContentOf({ issue: () => assert.fail('keys are not asked for') })
        const ref = { tenant: 'default', contentId: document.contentId }
        const signal = new Signaler(new PlayerUrls('https://keys.example.com'), () => {}).systemsOf(
          ref,
          keys,
          profile,
          content,
        )
        const { bytes, holes } = toSkeleton(layoutAnswer(document, keys, signal, profile))
        assert.ok(holes.length >= keys.length)
        assert.ok(bytes.includes('PlainValue>AAAAAAAAAAAAAAAAAAAAAAAA<'), 'a hole is blank until it is filled')
        for (const wanted of keys) {
          const { contentKey, explicitIv } = testKey(wanted)
          for (const secret of [contentKey, explicitIv].map((value) => Buffer.from(value))) {
            for (const form of ['base64', 'hex', 'base64url', 'latin1'] as const) {
              assert.ok(!bytes.includes(secret.toString(form), 0, 'latin1'), form)
            }
          }
        }
      })
    }
  }
})
