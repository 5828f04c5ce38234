import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { type ContentKeyClass, toKid } from '../../../src/formats/cenc.ts'
import { addOverride } from '../../../src/keys/content/overrides.ts'
import { rootSecretDerivation } from '../../../src/keys/crypto/root-secret.ts'
import { flakyStore, hex, issue, keyringOf, kidOf, REF, wantedOf } from '../fixtures.ts'

interface Vectors {
  readonly origin: string
  readonly rootSecret: string
  readonly keys: readonly {
    readonly tenant: string
    readonly contentId: string
    readonly contentKeyClass: ContentKeyClass
    readonly kid: string
    readonly contentKey: string
    readonly explicitIv: string
  }[]
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/derived-root.json', import.meta.url), 'utf8')) as Vectors
const rootSecret = Buffer.from(vectors.rootSecret, 'hex')
const regionOf = (secret: Uint8Array = rootSecret, store = memoryStore()) =>
  keyringOf({ store, policy: 'derived-root', deriveContentSecret: rootSecretDerivation(secret) })

describe(`derived-root vectors (${vectors.origin})`, () => {
  for (const { tenant, contentId, contentKeyClass, kid, contentKey, explicitIv } of vectors.keys) {
    test(`${tenant} ${contentId} ${contentKeyClass}`, async () => {
      const wanted = { contentKeyClass, kid: toKid(kid) ?? assert.fail() }
      const { keys } = await issue(regionOf().keys, [wanted], { tenant, contentId })
      assert.deepEqual(keys, [`${contentKey} ${explicitIv}`])
    })
  }
})

describe('the policy derived-root', () => {
  test('gives the same keys in two regions that share no store, and writes nothing', async () => {
    const stores = [memoryStore(), memoryStore()]
    const regions = stores.map((store) => regionOf(rootSecret, store))
    for (let number = 0; number < 50; number++) {
      const ref = { tenant: number % 2 === 0 ? 'a' : 'b', contentId: `c${number}` }
      const [one, other] = await Promise.all(
        regions.map(({ keys }) => issue(keys, [wantedOf(1), wantedOf(2), wantedOf(1, 'clear')], ref)),
      )
      assert.deepEqual(one, other)
      assert.equal(new Set(one?.keys).size, 3)
    }
    for (const store of stores) {
      assert.deepEqual([await store.listContents(undefined, 9), await store.listDataKeys()], [[], []])
    }
  })

  test('gives other keys for another root secret, tenant, content and kid', async () => {
    const issued = await Promise.all([
      issue(regionOf().keys, [wantedOf(1), wantedOf(2)]),
      issue(regionOf(randomBytes(32)).keys, [wantedOf(1), wantedOf(2)]),
      issue(regionOf().keys, [wantedOf(1), wantedOf(2)], { ...REF, tenant: 'other' }),
      issue(regionOf().keys, [wantedOf(1), wantedOf(2)], { ...REF, contentId: 'other' }),
    ])
    assert.equal(new Set(issued.flatMap(({ keys }) => keys)).size, 8)
  })

  test('asks the store once for a content, and goes on while it is away', async () => {
    const flaky = flakyStore(memoryStore())
    const { keys, clock } = keyringOf({
      store: flaky.store,
      policy: 'derived-root',
      deriveContentSecret: rootSecretDerivation(rootSecret),
    })
    const first = await issue(keys, [wantedOf(1)])
    const asked = flaky.calls()
    for (let n = 0; n < 20; n++) assert.deepEqual(await issue(keys, [wantedOf(1)]), first)
    assert.equal(flaky.calls(), asked)
    flaky.setAway(true)
    clock.at += 60_000
    assert.deepEqual(await issue(keys, [wantedOf(1)]), first)
    // What the store would say of this one is not known: it may be destroyed or overridden.
    await assert.rejects(issue(keys, [wantedOf(1)], { ...REF, contentId: 'new' }), { code: 'ERR_STORE_UNAVAILABLE' })
  })

  test('keeps the keys of contents that have a secret stored', async () => {
    const store = memoryStore()
    const { keys, dataKeys } = keyringOf({ store })
    const before = await issue(keys, [wantedOf(1)])
    const region = keyringOf({
      store,
      dataKeys,
      policy: 'derived-root',
      deriveContentSecret: rootSecretDerivation(rootSecret),
    })
    assert.deepEqual((await issue(region.keys, [wantedOf(1)])).keys, before.keys)
  })

  test('obeys overrides and tombstones of its own store', async () => {
    const { keys, store, dataKeys, clock } = regionOf()
    const key = randomBytes(16)
    await issue(keys, [wantedOf(1)])
    await addOverride(
      { store, dataKeys, randomBytes, now: () => 0 },
      { ref: REF, contentKeyClass: 'drm', kid: kidOf(1), key, force: true, reason: 'test' },
    )
    clock.at += 60_000
    assert.ok((await issue(keys, [wantedOf(1)])).keys[0]?.startsWith(hex(key)))
    await store.putTombstone(REF, { at: 1, reason: 'withdrawn', cause: 'deleted' })
    clock.at += 60_000
    await assert.rejects(issue(keys, [wantedOf(1)]), { code: 'ERR_CONTENT_GONE' })
  })

  test('takes a root secret of 32 bytes alone', () => {
    for (const size of [0, 16, 31, 33]) {
      assert.throws(() => rootSecretDerivation(randomBytes(size)), { code: 'ERR_CONFIG_INVALID' })
    }
  })
})
