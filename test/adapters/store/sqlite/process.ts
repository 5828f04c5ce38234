import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { openLocalRootKey } from '../../../../src/adapters/root-keys/local.ts'
import { openSqliteStore } from '../../../../src/adapters/store/sqlite/store.ts'
import { StoredContentKeys } from '../../../../src/keys/content/content-keys.ts'
import { openKeys } from '../../../../src/keys/crypto/data-keys.ts'
import { BIRTH, hex, issue, REF, wantedOf } from '../../../keys/fixtures.ts'

// A process that uses a store as a server does, for the tests of several processes and of one that is killed.

const [, , mode = '', directory = ''] = process.argv
const store = openSqliteStore({ file: join(directory, 'keys.db') })

if (mode === 'first-requests') {
  const rootKeyName = join(directory, 'root.key')
  const openRootKey = (create: boolean) => openLocalRootKey({ file: rootKeyName, create })
  const { dataKeys } = await openKeys({ store, openRootKey, rootKeyName, randomBytes })
  const keys = new StoredContentKeys({
    store,
    dataKeys,
    policy: 'derived',
    now: () => performance.now(),
    randomBytes,
    time: () => 0,
  })
  const issued = await Promise.all(Array.from({ length: 32 }, () => issue(keys, [wantedOf(1)])))
  process.stdout.write(JSON.stringify(issued.flatMap((one) => one.keys)))
  await store.close()
} else {
  // Acknowledges each write on a line of its own, until it is killed.
  for (let number = 0; ; number++) {
    const secret = randomBytes(32)
    await store.putSecretIfAbsent({ ...REF, contentId: `c${number}` }, secret, [], BIRTH)
    process.stdout.write(`${number} ${hex(secret)}\n`)
  }
}
