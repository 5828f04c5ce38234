import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { ContentStore, LifeStore, StoredOverride } from '../../../src/keys/ports/content-store.ts'
import type { DocumentStore, StoredDocument } from '../../../src/operations/ports/store.ts'
import { BIRTH, kidOf, REF } from '../../keys/fixtures.ts'
import { openedWith } from './opened.ts'

const documentOf = (revision: string): StoredDocument => ({ xml: `<CPIX id="${revision}\\0 é🎬"/>`, revision, at: 7 })

/** What every adapter of `DocumentStore` must do, beside the secrets of the same contents. */
export function documentStoreContract(
  name: string,
  open: () => Promise<ContentStore & LifeStore & DocumentStore>,
): void {
  const opened = openedWith(open)

  describe(`document store: ${name}`, () => {
    opened('a document is stored, read and replaced by who knows its revision', async (store) => {
      assert.equal(await store.findDocument(REF), undefined)
      assert.equal(await store.putDocument(REF, documentOf('a'), 'x'), false)
      assert.equal(await store.putDocument(REF, documentOf('a'), undefined), true)
      assert.deepEqual(await store.findDocument(REF), documentOf('a'))
      assert.equal(await store.putDocument(REF, documentOf('b'), undefined), false)
      assert.equal(await store.putDocument(REF, documentOf('b'), 'x'), false)
      assert.deepEqual(await store.findDocument(REF), documentOf('a'))
      assert.equal(await store.putDocument(REF, documentOf('b'), 'a'), true)
      assert.deepEqual(await store.findDocument(REF), documentOf('b'))
      assert.equal(await store.findDocument({ ...REF, tenant: 'other' }), undefined)
    })

    opened('a document alone is no content that has keys', async (store) => {
      await store.putDocument(REF, documentOf('a'), undefined)
      assert.equal(await store.findContent(REF, []), undefined)
      const { life, sealedSecret } = await store.putSecretIfAbsent(REF, Uint8Array.of(1), [], BIRTH)
      assert.deepEqual([life.createdAt, sealedSecret], [BIRTH.at, Uint8Array.of(1)])
      assert.deepEqual(await store.findDocument(REF), documentOf('a'))
    })

    const overrideOf = (number: number, byte = number): StoredOverride => ({
      kid: kidOf(number),
      contentKeyClass: 'drm',
      sealed: Uint8Array.of(byte),
      pssh: {},
    })
    const keysOf = (...overrides: StoredOverride[]) => ({ overrides, birth: BIRTH, unlessSecret: true })
    const storedKids = async (store: ContentStore) => (await store.listOverrides(REF)).map(({ kid }) => kid)

    opened('a document and its keys are stored together', async (store) => {
      assert.equal(
        await store.putDocumentWithKeys(REF, documentOf('a'), undefined, keysOf(overrideOf(1), overrideOf(2))),
        'stored',
      )
      assert.deepEqual(await store.findDocument(REF), documentOf('a'))
      assert.deepEqual(await storedKids(store), [kidOf(1), kidOf(2)])
      assert.equal((await store.findContent(REF, []))?.life.createdAt, BIRTH.at)
      assert.equal(await store.putDocumentWithKeys(REF, documentOf('b'), 'a', keysOf(overrideOf(3))), 'stored')
      assert.deepEqual(await store.findDocument(REF), documentOf('b'))
    })

    opened('a document of another revision stores none of its keys', async (store) => {
      await store.putDocument(REF, documentOf('a'), undefined)
      for (const before of [undefined, 'x']) {
        assert.equal(await store.putDocumentWithKeys(REF, documentOf('b'), before, keysOf(overrideOf(1))), 'changed')
      }
      assert.deepEqual(await storedKids(store), [])
      assert.deepEqual(await store.findDocument(REF), documentOf('a'))
    })

    opened('keys of which one is taken store no document and no other key', async (store) => {
      await store.putOverridesIfAbsent(REF, [overrideOf(2, 9)], BIRTH)
      assert.equal(
        await store.putDocumentWithKeys(REF, documentOf('a'), undefined, keysOf(overrideOf(1), overrideOf(2))),
        'taken',
      )
      assert.deepEqual(await storedKids(store), [kidOf(2)])
      assert.equal(await store.findDocument(REF), undefined)
    })

    opened('keys for a content with a secret store nothing, unless that is allowed', async (store) => {
      await store.putSecretIfAbsent(REF, Uint8Array.of(1), [], BIRTH)
      const keys = keysOf(overrideOf(1))
      assert.equal(await store.putDocumentWithKeys(REF, documentOf('a'), undefined, keys), 'taken')
      assert.deepEqual([await storedKids(store), await store.findDocument(REF)], [[], undefined])
      const allowed = { ...keys, unlessSecret: false }
      assert.equal(await store.putDocumentWithKeys(REF, documentOf('a'), undefined, allowed), 'stored')
      assert.deepEqual(await storedKids(store), [kidOf(1)])
    })

    opened('of two documents with keys at once one is stored', async (store) => {
      const results = await Promise.all(
        [1, 2].map((n) => store.putDocumentWithKeys(REF, documentOf(`${n}`), undefined, keysOf(overrideOf(n)))),
      )
      assert.deepEqual([...results].sort(), ['changed', 'stored'])
      assert.deepEqual(await storedKids(store), [kidOf(results.indexOf('stored') + 1)])
    })

    opened('a destroyed content accepts no document with keys', async (store) => {
      await store.putTombstone(REF, { at: 1, reason: 'operator', cause: 'deleted' })
      await assert.rejects(store.putDocumentWithKeys(REF, documentOf('a'), undefined, keysOf(overrideOf(1))), {
        code: 'ERR_CONTENT_GONE',
      })
      assert.deepEqual(await storedKids(store), [])
    })

    opened('of the first writers of a document one wins, and of its next ones too', async (store) => {
      const writers = (before: string | undefined) =>
        Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => store.putDocument(REF, documentOf(`${before}${n}`), before)))
      const first = await writers(undefined)
      assert.equal(first.filter(Boolean).length, 1)
      const standing = await store.findDocument(REF)
      assert.deepEqual(standing, documentOf(`undefined${first.indexOf(true) + 1}`))
      assert.equal((await writers(standing?.revision)).filter(Boolean).length, 1)
    })

    opened('a destroyed content loses its document, and takes no other', async (store) => {
      const other = { ...REF, contentId: 'expired' }
      await store.putDocument(REF, documentOf('a'), undefined)
      await store.putTombstone(REF, { at: 1, reason: 'operator', cause: 'deleted' })
      await store.putSecretIfAbsent(other, Uint8Array.of(1), [], { at: 1, expiresAt: 5 })
      await store.putDocument(other, documentOf('a'), undefined)
      await store.destroyExpired([{ ...other, expiresAt: 5 }], 6, 'over')
      for (const ref of [REF, other]) {
        assert.equal(await store.findDocument(ref), undefined)
        await assert.rejects(store.putDocument(ref, documentOf('b'), undefined), { code: 'ERR_CONTENT_GONE' })
        assert.equal(await store.findDocument(ref), undefined)
      }
    })

    opened('a held content keeps its document', async (store) => {
      await store.putSecretIfAbsent(REF, Uint8Array.of(1), [], BIRTH)
      await store.putDocument(REF, documentOf('a'), undefined)
      await store.putHold(REF, 'court')
      const deleted = { at: 1, reason: 'operator', cause: 'deleted' } as const
      await assert.rejects(store.putTombstone(REF, deleted), { code: 'ERR_CONTENT_HELD' })
      assert.deepEqual(await store.findDocument(REF), documentOf('a'))
    })

    opened('a document written while its content is destroyed does not outlive it', async (store) => {
      const refs = Array.from({ length: 60 }, (_, number) => ({ tenant: 'a', contentId: `c${number}` }))
      for (const ref of refs) await store.putSecretIfAbsent(ref, Uint8Array.of(1), [], BIRTH)
      await Promise.all(
        refs.flatMap((ref, number) => {
          const put = () =>
            store.putDocument(ref, documentOf('a'), undefined).catch((error: unknown) => {
              assert.equal(Object(error).code, 'ERR_CONTENT_GONE')
            })
          const destroy = () => store.putTombstone(ref, { at: 1, reason: 'operator', cause: 'deleted' })
          return number % 2 === 0 ? [put(), destroy()] : [destroy(), put()]
        }),
      )
      for (const ref of refs) assert.equal(await store.findDocument(ref), undefined)
    })
  })
}
