import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { ContentStore } from '../../../src/keys/ports/content-store.ts'
import type { LifeStore } from '../../../src/keys/ports/lifetime-store.ts'
import type { DocumentStore, StoredDocument } from '../../../src/operations/ports/store.ts'
import { BIRTH, REF } from '../../keys/fixtures.ts'
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
