import { test } from 'node:test'

/** A test with a store of its own, closed whatever happens. */
export function openedWith<S extends { close(): Promise<void> }>(open: () => Promise<S>) {
  return (title: string, body: (store: S) => Promise<void>) =>
    test(title, async () => {
      const store = await open()
      try {
        await body(store)
      } finally {
        await store.close()
      }
    })
}
