import { createSecretKey, randomBytes } from 'node:crypto'
import { openDynamoDbStore } from '../../../../src/adapters/store/dynamodb/store.ts'
import { StoredContentKeys } from '../../../../src/keys/content/content-keys.ts'
import { openKeys } from '../../../../src/keys/crypto/data-keys.ts'
import { seal, unseal } from '../../../../src/keys/crypto/seal.ts'
import type { RootKey } from '../../../../src/keys/ports/root-key.ts'
import { issue, REF, wantedOf } from '../../../keys/fixtures.ts'

// A node on DynamoDB: it asks many times at once for contents that no node has seen, and prints what it was given for each.

const [, , endpoint = '', table = ''] = process.argv
const store = await openDynamoDbStore({ table, endpoint, region: 'eu-west-1', now: () => Date.now(), graceMs: 0 })
/** The same in every process; a root key is not what is tested here. */
const key = createSecretKey(Buffer.alloc(32, 7))
const context = { kind: 'content-secret', ref: { tenant: 'root', contentId: 'root' } } as const
const rootKey: RootKey = {
  wrap: async (dataKey) => seal({ generation: 1, key }, context, dataKey, randomBytes),
  unwrap: async (wrapped) => unseal(key, context, wrapped),
  close: async () => {},
}
const openRootKey = async () => ({ rootKey, created: false })
const { dataKeys } = await openKeys({ store, openRootKey, rootKeyName: 'test', randomBytes })

const given: Record<string, readonly string[]> = {}
for (const policy of ['derived', 'random', 'derived', 'random'] as const) {
  const contentId = `${policy}-${Object.keys(given).length}`
  const issued = await Promise.all(
    Array.from({ length: 16 }, () => {
      // Without a cache between them, as if each were a process of its own.
      const alone = new StoredContentKeys({
        store,
        dataKeys,
        policy,
        now: () => performance.now(),
        time: () => Date.now(),
        randomBytes,
      })
      return issue(alone, [wantedOf(1), wantedOf(2)], { ...REF, contentId })
    }),
  )
  given[contentId] = [...new Set(issued.map(({ keys }) => keys.join()))]
}
process.stdout.write(JSON.stringify(given))
await store.close()
