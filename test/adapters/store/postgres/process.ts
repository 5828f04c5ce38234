import { randomBytes } from 'node:crypto'
import { openLocalRootKey } from '../../../../src/adapters/root-keys/local.ts'
import { openPostgresStore } from '../../../../src/adapters/store/postgres/store.ts'
import { Secret } from '../../../../src/core/secret.ts'
import { StoredContentKeys } from '../../../../src/keys/content/content-keys.ts'
import { openKeys } from '../../../../src/keys/crypto/data-keys.ts'
import { issue, REF, wantedOf } from '../../../keys/fixtures.ts'

// A node on PostgreSQL: in each round it asks 32 times at once for a content that no node has seen, and tells what it was given.

const { KEYSPRING_TEST_URL = '', KEYSPRING_TEST_ROOT_KEY = '', KEYSPRING_TEST_ROUNDS = '1' } = process.env
const store = await openPostgresStore({ url: new Secret(KEYSPRING_TEST_URL) })
const openRootKey = (create: boolean) => openLocalRootKey({ file: KEYSPRING_TEST_ROOT_KEY, create })
const { dataKeys } = await openKeys({ store, openRootKey, rootKeyName: 'root key', randomBytes })
const keys = new StoredContentKeys({
  store,
  dataKeys,
  policy: 'derived',
  now: () => performance.now(),
  randomBytes,
  time: () => 0,
})

const FIRST_REQUESTS = 32
for (let round = 0; round < Number(KEYSPRING_TEST_ROUNDS); round++) {
  // Every second round the overrides of a content race instead of its secret.
  const policy = round % 2 === 0 ? 'derived' : 'random'
  const asking = Array.from({ length: FIRST_REQUESTS }, () => {
    // Without a cache between them, as if each were a process of its own.
    const alone = new StoredContentKeys({
      store,
      dataKeys,
      policy,
      now: () => performance.now(),
      randomBytes,
      time: () => 0,
    })
    return issue(alone, [wantedOf(1), wantedOf(2)], { ...REF, contentId: `round-${round}` })
  })
  const given = (await Promise.all(asking)).map((one) => one.keys.join())
  process.stdout.write(`${JSON.stringify([round, [...new Set(given)], given.length])}\n`)
}
await issue(keys, [wantedOf(1)], { ...REF, contentId: 'last' })
await store.close()
