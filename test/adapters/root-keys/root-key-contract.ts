import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { RootKey } from '../../../src/keys/ports/root-key.ts'

const CONTEXT = { tenant: 'default', generation: '1' }
const broken = { code: 'ERR_SEAL_BROKEN' }

/** What every adapter of `RootKey` must do. `open` gives a root key of its own each time. */
export function rootKeyContract(name: string, open: () => Promise<RootKey>): void {
  describe(`root key: ${name}`, () => {
    test('unwraps what it wrapped', async () => {
      const rootKey = await open()
      const dataKey = new Uint8Array(randomBytes(32))
      const wrapped = await rootKey.wrap(dataKey, CONTEXT)
      assert.deepEqual(new Uint8Array((await rootKey.unwrap(wrapped, CONTEXT)) ?? []), dataKey)
      assert.equal(Buffer.from(wrapped).includes(Buffer.from(dataKey)), false)
      await rootKey.close()
    })

    test('wraps the same data key differently each time', async () => {
      const rootKey = await open()
      const dataKey = new Uint8Array(32)
      assert.notDeepEqual(await rootKey.wrap(dataKey, CONTEXT), await rootKey.wrap(dataKey, CONTEXT))
    })

    test('ignores the order of the context', async () => {
      const rootKey = await open()
      const wrapped = await rootKey.wrap(new Uint8Array(32), CONTEXT)
      assert.ok(await rootKey.unwrap(wrapped, { generation: '1', tenant: 'default' }))
    })

    test('rejects every other context', async () => {
      const rootKey = await open()
      const wrapped = await rootKey.wrap(new Uint8Array(32), CONTEXT)
      const others = [{}, { ...CONTEXT, tenant: 'other' }, { ...CONTEXT, generation: '2' }, { ...CONTEXT, more: '' }]
      for (const context of [...others, { tenant: 'defaultgeneration', '1': '' }]) {
        await assert.rejects(rootKey.unwrap(wrapped, context), broken)
      }
    })

    test('returns undefined for a data key of another root key', async () => {
      const wrapped = await (await open()).wrap(new Uint8Array(32), CONTEXT)
      assert.equal(await (await open()).unwrap(wrapped, CONTEXT), undefined)
    })

    test('rejects truncated and altered values', async () => {
      const rootKey = await open()
      const wrapped = await rootKey.wrap(new Uint8Array(32).fill(7), CONTEXT)
      const opened = (bytes: Uint8Array) =>
        rootKey.unwrap(bytes, CONTEXT).then(
          (dataKey) => assert.equal(dataKey, undefined),
          (error) => assert.equal(error.code, broken.code),
        )
      for (let length = 0; length < wrapped.length; length++) await opened(wrapped.slice(0, length))
      for (const [index, byte] of wrapped.entries()) await opened(wrapped.with(index, byte ^ 1))
      await assert.rejects(rootKey.unwrap(wrapped.slice(0, -1), CONTEXT), broken)
    })
  })
}
