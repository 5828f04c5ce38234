import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { guidBytes, type Kid, kidOfBytes } from '../../../src/formats/cenc.ts'
import { addOverride } from '../../../src/keys/content/overrides.ts'
import type { IssuedKidStore } from '../../../src/keys/ports/ledger-store.ts'
import { IssuedKids } from '../../../src/protocols/playback/issued-kids.ts'
import { toUrlSegment } from '../../../src/protocols/speke/urls.ts'
import { base64url, getKey, hex, issue, kidOf, playing, postLicense, REF, recordOf, wantedOf } from './playing.ts'

const NEVER_ISSUED = kidOf(9)
const swap = (kid: Kid): Kid => kidOfBytes(guidBytes(kid))
const WIDEVINE = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'
const unavailable: Pick<IssuedKidStore, 'findIssued'> = {
  findIssued: () => Promise.reject(new KeyProviderError('ERR_STORE_UNAVAILABLE', 'unavailable')),
}

describe('a kid that was never issued', () => {
  for (const [what, kid] of [
    ['is not of the content', NEVER_ISSUED],
    ['is the ID of a DRM system', WIDEVINE],
    ['is zero', '00000000-0000-0000-0000-000000000000'],
  ] as const) {
    test(`gets 404 as a key and as a licence if it ${what}`, async () => {
      const { handler, waits } = await playing()
      const key = await getKey(handler, kid)
      assert.deepEqual([key.status, key.body.startsWith('there is no such key')], [404, true])
      assert.equal((await postLicense(handler, { kids: [base64url(kid as Kid)] })).status, 404)
      assert.ok(waits.length > 0)
    })
  }

  for (const [what, number] of [
    ['clear content', 1],
    ['DRM content', 2],
  ] as const) {
    test(`gets 404 with the reason if it is the swapped form of a kid of ${what}`, async () => {
      const { handler, waits } = await playing()
      for (const { status, body } of [
        await getKey(handler, swap(kidOf(number))),
        await postLicense(handler, { kids: [base64url(swap(kidOf(number)))] }),
      ]) {
        assert.equal(status, 404)
        assert.match(body, /bytes in the other order/)
      }
      assert.deepEqual(waits, [], 'the record of the swapped form is enough')
    })
  }

  test('is left out of a licence that has other keys', async () => {
    const { handler, clear } = await playing()
    const { status, body } = await postLicense(handler, { kids: [kidOf(1), NEVER_ISSUED].map(base64url) })
    assert.equal(status, 200)
    const { keys } = JSON.parse(body) as { keys: readonly { kid: string; k: string }[] }
    assert.deepEqual(
      keys.map(({ kid, k }) => [kid, hex(Buffer.from(k, 'base64url'))]),
      [[base64url(kidOf(1)), clear]],
    )
  })

  test('gets 404 although players get the keys of DRM content', async () => {
    const { handler } = await playing({ servesDrmKeys: () => true })
    assert.equal((await getKey(handler, NEVER_ISSUED)).status, 404)
  })

  test('gets 404 at once when it is requested again, and waits again later', async () => {
    const { handler, waits, clock } = await playing()
    await getKey(handler, NEVER_ISSUED)
    const first = waits.length
    assert.equal((await getKey(handler, NEVER_ISSUED)).status, 404)
    assert.equal(waits.length, first)
    clock.at += 3_000
    await getKey(handler, NEVER_ISSUED)
    assert.equal(waits.length, 2 * first)
  })

  test('gets its key if an operator stored one', async () => {
    const { handler, store, dataKeys, clock } = await playing()
    const key = randomBytes(16)
    const force = { force: true, reason: 'test' }
    await addOverride(
      { store, dataKeys, randomBytes, now: () => clock.at },
      { ref: REF, contentKeyClass: 'clear', kid: NEVER_ISSUED, key, ...force },
    )
    clock.at += 10_000
    assert.equal((await getKey(handler, NEVER_ISSUED)).body, hex(key))
  })
})

describe('a record on its way', () => {
  test('of this process is not waited for', async () => {
    const { handler, keys, issuedKids, waits } = await playing()
    const issued = await issue(keys, [wantedOf(5, 'clear')])
    issuedKids.note([recordOf([wantedOf(5, 'clear')])])
    assert.equal((await getKey(handler, kidOf(5))).body, issued.keys[0]?.split(' ')[0])
    assert.deepEqual(waits, [])
  })

  test('of another node is waited for', async () => {
    const { handler, keys, waits } = await playing({
      whileWaiting: async (store) => void (await store.record([recordOf([wantedOf(5, 'clear')])])),
    })
    const issued = await issue(keys, [wantedOf(5, 'clear')])
    assert.equal((await getKey(handler, kidOf(5))).body, issued.keys[0]?.split(' ')[0])
    assert.deepEqual(waits, [300])
  })

  test('is waited for at most 2.5 s, by a bounded number of requests', async () => {
    const { handler, waits } = await playing()
    await getKey(handler, NEVER_ISSUED)
    assert.equal(
      waits.reduce((sum, ms) => sum + ms, 0),
      2_500,
    )
    const forever = new IssuedKids({
      store: { findIssued: async () => ({ issued: [], completeSince: 0 }) },
      now: () => 0,
      wait: () => new Promise(() => {}),
      onUnconfirmed: () => assert.fail(),
    })
    for (let i = 0; i < 500; i++) void forever.find(REF, [kidOf(i)], 1)
    await assert.rejects(forever.find(REF, [kidOf(500)], 1), { code: 'ERR_OVERLOADED' })
  })
})

describe('without a conclusive record', () => {
  test('players get keys while the store is unavailable, and the log says so', async () => {
    const { handler, clear, unconfirmed, waits } = await playing({ issuedStore: unavailable })
    assert.equal((await getKey(handler, kidOf(1))).body, clear)
    assert.equal((await getKey(handler, NEVER_ISSUED)).status, 200)
    assert.deepEqual(unconfirmed, ['movie', 'movie'])
    assert.deepEqual(waits, [])
  })

  test('players get keys of a content that is older than the record', async () => {
    const { handler, ledger, waits } = await playing()
    await ledger.putCompleteSince(Number.MAX_SAFE_INTEGER)
    assert.equal((await getKey(handler, NEVER_ISSUED)).status, 200)
    assert.equal((await getKey(handler, kidOf(2))).status, 403, 'a recorded class still counts')
    assert.deepEqual(waits, [])
  })

  test('players get keys of a content without a creation time', async () => {
    const { handler, store, clock } = await playing()
    const life = { createdAt: undefined, expiresAt: undefined, hold: undefined, epoch: 0 }
    await (store as unknown as { putLife(ref: typeof REF, of: typeof life): Promise<void> }).putLife(REF, life)
    clock.at += 10_000
    assert.equal((await getKey(handler, NEVER_ISSUED)).status, 200)
  })
})

describe('the store is asked', () => {
  /** Counts the queries for issued kids. */
  async function counting() {
    const calls: number[] = []
    const setup = await playing()
    const playingAgain = await playing({
      issuedStore: {
        findIssued(ref, kids) {
          calls.push(kids.length)
          return setup.ledger.findIssued(ref, kids)
        },
      },
    })
    return { ...playingAgain, calls }
  }

  test('once for all kids of a licence request, with their swapped forms', async () => {
    const { handler, calls, issuedKids } = await counting()
    const kids = Array.from({ length: 128 }, (_, i) => kidOf(i + 1))
    issuedKids.note([recordOf(kids.slice(3).map((kid) => ({ kid, contentKeyClass: 'clear' })))])
    assert.equal((await postLicense(handler, { kids: kids.map(base64url) })).status, 200)
    assert.deepEqual(calls, [6])
  })

  test('once a minute for an issued kid', async () => {
    const { handler, calls, clock } = await counting()
    for (let times = 0; times < 3; times++) await getKey(handler, kidOf(1))
    assert.equal(calls.length, 1)
    clock.at += 61_000
    await getKey(handler, kidOf(1))
    assert.equal(calls.length, 2)
  })

  test('not at all for a content that does not exist, whatever its name', async () => {
    const { handler, calls } = await counting()
    for (const contentId of ['other', 'x'.repeat(256), 'x'.repeat(257), 'x'.repeat(12_000)]) {
      const path = `/keys/default/${toUrlSegment(contentId)}`
      assert.equal((await getKey(handler, kidOf(1), path)).status, 404)
      const licence = await postLicense(
        handler,
        { kids: [base64url(kidOf(1))] },
        { path: path.replace('/keys', '/license/clearkey') },
      )
      assert.equal(licence.status, 404)
    }
    assert.deepEqual(calls, [])
  })
})
