import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type ContentKeyClass, type Kid, type SystemId, systemIdOf, toKid } from '../../../src/formats/cenc.ts'
import type { ContentRef } from '../../../src/keys/ports/content-ref.ts'
import type { ContentStore, StoredContent, StoredOverride } from '../../../src/keys/ports/content-store.ts'
import { BIRTH } from '../../keys/fixtures.ts'

const REF: ContentRef = { tenant: 'default', contentId: 'movie' }
const WIDEVINE = systemIdOf('edef8ba9-79d6-4ace-a3c8-27dcd51d21ed')
const KID = kidOf('0294b959-9d75-5de2-bbf0-fdca3fa5eab7')
const OTHER_KID = kidOf('1294b959-9d75-5de2-bbf0-fdca3fa5eab7')

const ANY = { intendedTrackType: undefined, periodIndex: undefined }
const UNLESS_SECRET = { unlessSecret: true }

/** Content ids that a store must take as they are. */
const ODD_NAMES = [
  '../../etc/passwd',
  "'; DROP TABLE content; --",
  '%',
  '_',
  ' ',
  'a\u0000b',
  'e\u0301',
  'é',
  'É',
  '🎬',
  'x'.repeat(256),
]

/** What every adapter of `ContentStore` must do. Each adapter's test file calls this, then adds its own. */
export function secretStoreContract(name: string, open: () => Promise<ContentStore>): void {
  const opened = (title: string, body: (store: ContentStore) => Promise<void>) =>
    test(title, async () => {
      const store = await open()
      try {
        await body(store)
      } finally {
        await store.close()
      }
    })

  describe(`secret store: ${name}`, () => {
    opened('knows nothing of a content never stored', async (store) => {
      assert.equal(await store.findContent(REF, [KID]), undefined)
      assert.deepEqual(await store.listOverrides(REF), [])
      assert.equal(await store.removeOverride(REF, 'drm', KID), false)
      assert.equal(await store.removeKidOverride(REF, { intendedTrackType: undefined, periodIndex: undefined }), false)
    })

    opened('the first secret stands', async (store) => {
      const standing = await store.putSecretIfAbsent(REF, bytes(1), [KID], BIRTH)
      assert.deepEqual(standing, content({ sealedSecret: bytes(1) }))
      assert.deepEqual(await store.putSecretIfAbsent(REF, bytes(2), [KID], BIRTH), standing)
      assert.deepEqual(await store.findContent(REF, []), standing)
    })

    opened('secrets put at the same moment agree', async (store) => {
      const [first, ...rest] = await Promise.all(
        Array.from({ length: 32 }, (_, byte) => store.putSecretIfAbsent(REF, bytes(byte), [], BIRTH)),
      )
      for (const other of rest) assert.deepEqual(other, first)
    })

    opened('the first override of a class and kid stands, and the others are added', async (store) => {
      await store.putOverridesIfAbsent(REF, [override('drm', KID, 1)], BIRTH)
      const standing = await store.putOverridesIfAbsent(
        REF,
        [override('drm', KID, 2), override('clear', KID, 3)],
        BIRTH,
      )
      assert.deepEqual(standing, content({ overrides: [override('clear', KID, 3), override('drm', KID, 1)] }))
      assert.deepEqual(await store.findContent(REF, []), standing)
    })

    opened('overrides put at the same moment agree, whatever their order', async (store) => {
      const puts = Array.from({ length: 16 }, (_, byte) => {
        const both = [override('drm', KID, byte), override('drm', OTHER_KID, byte)]
        return store.putOverridesIfAbsent(REF, byte % 2 === 0 ? both : both.reverse(), BIRTH)
      })
      const [first, ...rest] = await Promise.all(puts)
      for (const other of rest) assert.deepEqual(other, first)
    })

    opened('overrides for a content without a secret are stored, those that come after one are not', async (store) => {
      const before = await store.putOverridesIfAbsent(REF, [override('drm', KID, 1)], BIRTH, UNLESS_SECRET)
      assert.deepEqual(before, content({ overrides: [override('drm', KID, 1)] }))
      const standing = await store.putSecretIfAbsent(REF, bytes(9), [], BIRTH)
      assert.deepEqual(standing, content({ sealedSecret: bytes(9), overrides: [override('drm', KID, 1)] }))
      const late = [override('drm', KID, 2), override('drm', OTHER_KID, 2)]
      assert.deepEqual(await store.putOverridesIfAbsent(REF, late, BIRTH, UNLESS_SECRET), standing)
      assert.deepEqual(await store.findContent(REF, [KID, OTHER_KID]), standing)
      assert.deepEqual(await store.listOverrides(REF), [override('drm', KID, 1)])
    })

    opened('overrides that a secret refuses leave its life as it is', async (store) => {
      const standing = await store.putSecretIfAbsent(REF, bytes(9), [], BIRTH)
      const later = { at: BIRTH.at + 1, expiresAt: BIRTH.at + 2 }
      assert.deepEqual(await store.putOverridesIfAbsent(REF, [override('drm', KID, 1)], later, UNLESS_SECRET), standing)
      assert.deepEqual(await store.findContent(REF, [KID]), standing)
    })

    opened(
      'an override and a secret put at the same moment: the answer tells whether the override stands',
      async (store) => {
        await inRounds(20, async (ref) => {
          const [answer] = await Promise.all([
            store.putOverridesIfAbsent(ref, [override('drm', KID, 1)], BIRTH, UNLESS_SECRET),
            store.putSecretIfAbsent(ref, bytes(9), [KID], BIRTH),
          ])
          assert.deepEqual(answer.overrides, await store.listOverrides(ref))
        })
      },
    )

    opened('what is read was copied: the bytes given stay the caller’s own', async (store) => {
      const given = bytes(1)
      await store.putSecretIfAbsent(REF, given, [], BIRTH)
      given.fill(9)
      assert.deepEqual((await store.findContent(REF, []))?.sealedSecret, bytes(1))
    })

    opened('an override is replaced, listed and removed', async (store) => {
      await store.putOverridesIfAbsent(REF, [override('drm', KID, 1)], BIRTH)
      await store.replaceOverride(REF, override('drm', KID, 2), BIRTH)
      await store.replaceOverride(REF, override('drm', OTHER_KID, 3), BIRTH)
      assert.deepEqual(await store.listOverrides(REF), [override('drm', KID, 2), override('drm', OTHER_KID, 3)])
      assert.equal(await store.removeOverride(REF, 'clear', KID), false)
      assert.equal(await store.removeOverride(REF, 'drm', KID), true)
      assert.equal(await store.removeOverride(REF, 'drm', KID), false)
      assert.deepEqual(await store.listOverrides(REF), [override('drm', OTHER_KID, 3)])
    })

    opened('a content with very many overrides is read with those of the kids asked for', async (store) => {
      const many = Array.from({ length: 300 }, (_, index) => override('drm', kidOf(randomUUID()), index % 256))
      await store.putSecretIfAbsent(REF, bytes(7), [], BIRTH)
      const standing = await store.putOverridesIfAbsent(REF, many, BIRTH)
      const wanted = many.slice(100, 103)
      const found = await store.findContent(
        REF,
        wanted.map(({ kid }) => kid),
      )
      const stood = await store.putSecretIfAbsent(
        REF,
        bytes(8),
        wanted.map(({ kid }) => kid),
        BIRTH,
      )
      for (const [read, expected] of [
        [standing, many],
        [found, wanted],
        [stood, wanted],
      ] as const) {
        const byKid = new Map(read?.overrides.map((one) => [one.kid, one]))
        for (const one of expected) assert.deepEqual(byKid.get(one.kid), one)
        assert.ok(!read?.overridesComplete || read.overrides.length === many.length)
        assert.deepEqual(read?.sealedSecret, bytes(7))
      }
      assert.equal((await store.listOverrides(REF)).length, many.length)
    })

    opened('a rule for a track type and period stands beside the rules for any', async (store) => {
      const any = { intendedTrackType: undefined, periodIndex: undefined }
      const rules = [
        { ...any, kid: KID },
        { ...any, intendedTrackType: 'HD', kid: OTHER_KID },
        { ...any, periodIndex: 0, kid: OTHER_KID },
        { intendedTrackType: 'HD', periodIndex: 3, kid: KID },
      ]
      for (const rule of rules) await store.putKidOverride(REF, rule)
      assert.deepEqual(new Set((await store.findContent(REF, []))?.kidOverrides), new Set(rules))
      await store.putKidOverride(REF, { ...any, kid: OTHER_KID })
      assert.equal(await store.removeKidOverride(REF, { ...any, intendedTrackType: 'HD' }), true)
      assert.equal(await store.removeKidOverride(REF, { ...any, intendedTrackType: 'HD' }), false)
      assert.deepEqual(
        new Set((await store.findContent(REF, []))?.kidOverrides),
        new Set([{ ...any, kid: OTHER_KID }, ...rules.slice(2)]),
      )
    })

    opened('a destroyed content keeps its tombstone alone and takes nothing more', async (store) => {
      await store.putSecretIfAbsent(REF, bytes(1), [], BIRTH)
      await store.putOverridesIfAbsent(REF, [override('drm', KID, 1)], BIRTH)
      await store.putKidOverride(REF, { intendedTrackType: undefined, periodIndex: undefined, kid: KID })
      await store.putTombstone(REF, { at: 1_000, reason: 'withdrawn', cause: 'deleted' })
      await store.putTombstone(REF, { at: 2_000, reason: 'again', cause: 'deleted' })
      const gone = content({ tombstone: { at: 1_000, reason: 'withdrawn', cause: 'deleted' } })
      assert.deepEqual(await store.findContent(REF, [KID]), gone)
      assert.deepEqual(await store.putSecretIfAbsent(REF, bytes(2), [], BIRTH), gone)
      assert.deepEqual(await store.putOverridesIfAbsent(REF, [override('drm', KID, 2)], BIRTH), gone)
      assert.deepEqual(await store.putOverridesIfAbsent(REF, [override('drm', KID, 2)], BIRTH, UNLESS_SECRET), gone)
      await assert.rejects(store.replaceOverride(REF, override('drm', KID, 3), BIRTH), { code: 'ERR_CONTENT_GONE' })
      const rule = { intendedTrackType: undefined, periodIndex: undefined, kid: KID }
      await assert.rejects(store.putKidOverride(REF, rule), { code: 'ERR_CONTENT_GONE' })
      assert.deepEqual(await store.findContent(REF, [KID]), gone)
    })

    opened('a content never stored can be destroyed beforehand', async (store) => {
      const life = { createdAt: undefined, expiresAt: undefined, hold: undefined, epoch: 0 }
      await store.putTombstone(REF, { at: 1, reason: 'never', cause: 'deleted' })
      assert.deepEqual(
        await store.findContent(REF, []),
        content({ life, tombstone: { at: 1, reason: 'never', cause: 'deleted' } }),
      )
    })

    opened('odd names are names, and tenants do not see each other', async (store) => {
      for (const [byte, contentId] of ODD_NAMES.entries()) {
        await store.putSecretIfAbsent({ tenant: 'a', contentId }, bytes(byte), [], BIRTH)
        await store.putSecretIfAbsent({ tenant: contentId, contentId: 'a' }, bytes(byte + 100), [], BIRTH)
      }
      for (const [byte, contentId] of ODD_NAMES.entries()) {
        const [one, two, three] = await Promise.all([
          store.findContent({ tenant: 'a', contentId }, []),
          store.findContent({ tenant: contentId, contentId: 'a' }, []),
          store.findContent({ tenant: 'b', contentId }, []),
        ])
        assert.deepEqual(one?.sealedSecret, bytes(byte))
        assert.deepEqual(two?.sealedSecret, bytes(byte + 100))
        assert.equal(three, undefined)
      }
    })

    opened('the first data key of a generation stands', async (store) => {
      const first = { tenant: 'a', generation: 1, wrapped: bytes(1) }
      const second = { tenant: 'a', generation: 2, wrapped: bytes(2) }
      assert.deepEqual(await store.putDataKeyIfAbsent(first), first)
      assert.deepEqual(await store.putDataKeyIfAbsent({ ...first, wrapped: bytes(9) }), first)
      assert.deepEqual(await store.putDataKeyIfAbsent(second), second)
      assert.deepEqual(await store.findDataKeys('a'), [first, second])
      assert.deepEqual(await store.findDataKeys('b'), [])
    })

    opened('one data key of each tenant is the sample', async (store) => {
      assert.deepEqual(await store.sampleDataKeys(), [])
      for (const tenant of ['a', 'b']) {
        for (const generation of [1, 2]) {
          await store.putDataKeyIfAbsent({ tenant, generation, wrapped: bytes(generation) })
        }
      }
      assert.deepEqual((await store.sampleDataKeys()).map(({ tenant }) => tenant).sort(), ['a', 'b'])
    })

    test('closes twice', async () => {
      const store = await open()
      await store.close()
      await store.close()
    })
  })
}

/**
 * What a store does that decides in one step whether a content has a secret or takes overrides: nobody is ever shown the secret
 * alone if anybody is shown the overrides. `openTwo` opens two ways to one store.
 */
export function oneStepOverridesContract(
  name: string,
  openTwo: () => Promise<readonly [ContentStore, ContentStore]>,
): void {
  test(`overrides and a secret at the same moment, ${name}: every read matches what is stored`, async () => {
    const [one, other] = await openTwo()
    try {
      const kids = [KID, OTHER_KID]
      const given = kids.map((kid) => override('drm', kid, 1))
      await inRounds(150, async (ref, round) => {
        // Before its first key a content may have a row for a rule alone.
        if (round % 3 === 0) await one.putKidOverride(ref, { ...ANY, kid: KID })
        let isOver = false
        const seen: (StoredContent | undefined)[] = []
        const watch = async (store: ContentStore): Promise<void> => {
          while (!isOver) {
            seen.push(await store.findContent(ref, kids))
            // A store that reads at once must not keep the writes from being answered.
            await setImmediate()
          }
        }
        const puts = [
          () => one.putSecretIfAbsent(ref, bytes(9), kids, BIRTH),
          () => other.putOverridesIfAbsent(ref, given, BIRTH, UNLESS_SECRET),
        ]
        const racing = Promise.all((round % 2 === 0 ? puts : puts.reverse()).map((put) => put()))
        const watching = Promise.all([watch(one), watch(other)])
        try {
          seen.push(...(await racing))
        } finally {
          isOver = true
          await watching
        }
        const last = await one.findContent(ref, kids)
        assert.deepEqual(last?.sealedSecret, bytes(9))
        assert.ok(last.overrides.length === 0 || last.overrides.length === given.length)
        for (const read of seen) {
          const hasOverrides = read !== undefined && read.overrides.length > 0
          if (hasOverrides || read?.sealedSecret !== undefined) assert.deepEqual(read.overrides, last.overrides)
        }
      })
    } finally {
      await one.close()
      await other.close()
    }
  })
}

/** Rounds with a content each, some of them at once. */
async function inRounds(rounds: number, run: (ref: ContentRef, round: number) => Promise<void>): Promise<void> {
  const atOnce = 5
  for (let from = 0; from < rounds; from += atOnce) {
    const numbers = Array.from({ length: Math.min(atOnce, rounds - from) }, (_, i) => from + i)
    await Promise.all(numbers.map((round) => run({ tenant: 'default', contentId: `raced ${round}` }, round)))
  }
}

function content(part: Partial<StoredContent>): StoredContent {
  return {
    life: { createdAt: BIRTH.at, expiresAt: undefined, hold: undefined, epoch: 0 },
    sealedSecret: undefined,
    overrides: [],
    overridesComplete: true,
    kidOverrides: [],
    tombstone: undefined,
    ...part,
  }
}

function override(contentKeyClass: ContentKeyClass, kid: Kid, byte: number): StoredOverride {
  const pssh: Record<SystemId, Uint8Array> = byte % 2 === 0 ? {} : { [WIDEVINE]: bytes(byte) }
  return { contentKeyClass, kid, sealed: bytes(byte), pssh }
}

function bytes(byte: number): Uint8Array {
  return new Uint8Array(8).fill(byte)
}

function kidOf(text: string): Kid {
  return toKid(text) ?? assert.fail(text)
}
