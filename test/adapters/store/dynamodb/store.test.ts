import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, describe, test } from 'node:test'
import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { openDynamoDbStore } from '../../../../src/adapters/store/dynamodb/store.ts'
import { rootSecretDerivation } from '../../../../src/keys/crypto/root-secret.ts'
import { issue, keyringOf, wantedOf } from '../../../keys/fixtures.ts'
import { auditHeadContract } from '../audit-head-contract.ts'
import { catalogueContract } from '../catalogue-contract.ts'
import { clientStoreContract } from '../client-store-contract.ts'
import { documentStoreContract } from '../document-store-contract.ts'
import { idempotencyContract } from '../idempotency-contract.ts'
import { issuedKidStoreContract } from '../issued-kid-store-contract.ts'
import { ledgerStoreContract } from '../ledger-store-contract.ts'
import { lifeStoreContract } from '../life-store-contract.ts'
import { maintenanceContract } from '../maintenance-contract.ts'
import { recentPeriodsContract } from '../recent-periods-contract.ts'
import { secretStoreContract } from '../secret-store-contract.ts'
import { startDynamoDb } from './server.ts'

const dynamoDb = await startDynamoDb()
after(() => dynamoDb.remove())

const openTable = (table: string) =>
  openDynamoDbStore({
    table,
    endpoint: dynamoDb.endpoint,
    region: 'eu-west-1',
    // The expiries of the contracts are early in 1970.
    now: () => 0,
    graceMs: 0,
    settleMs: 300,
  })
const open = async () => openTable(await dynamoDb.newTable())

secretStoreContract('dynamodb', open)
ledgerStoreContract('dynamodb', open)
issuedKidStoreContract('dynamodb', open)
recentPeriodsContract('dynamodb', open)
maintenanceContract('dynamodb', open)
clientStoreContract('dynamodb', open)
lifeStoreContract('dynamodb', open)
documentStoreContract('dynamodb', open)
catalogueContract('dynamodb', open)
idempotencyContract('dynamodb', open)
auditHeadContract('dynamodb', open)

const REF = { tenant: 'default', contentId: 'movie' }
const BIRTH = { at: 1, expiresAt: undefined }

describe('first requests of one content', () => {
  test('fifty writers in one process get one secret', async () => {
    const store = await open()
    const puts = Array.from({ length: 50 }, (_, byte) =>
      store.putSecretIfAbsent(REF, new Uint8Array(8).fill(byte), [], BIRTH),
    )
    const given = (await Promise.all(puts)).map(({ sealedSecret = assert.fail() }) => Buffer.from(sealedSecret))
    assert.equal(new Set(given.map((one) => one.toString('hex'))).size, 1)
    await store.close()
  })

  test('two processes get the same keys, derived and random', async () => {
    const table = await dynamoDb.newTable()
    const outputs = await Promise.all(
      [1, 2].map(async () => {
        const child = spawn(
          process.execPath,
          [new URL('./process.ts', import.meta.url).pathname, dynamoDb.endpoint, table],
          { stdio: ['ignore', 'pipe', 'inherit'] },
        )
        const exited = once(child, 'exit')
        let output = ''
        for await (const chunk of child.stdout) output += chunk
        assert.deepEqual(await exited, [0, null])
        return JSON.parse(output) as Readonly<Record<string, readonly string[]>>
      }),
    )
    const [one, other] = outputs
    assert.deepEqual(one, other)
    assert.deepEqual(
      Object.values(one ?? {}).map(({ length }) => length),
      [1, 1, 1, 1],
    )
  })
})

test('derived-root writes nothing to the table, and two tables return the same keys', async () => {
  const deriveContentSecret = rootSecretDerivation(new Uint8Array(32).fill(9))
  const issued = await Promise.all(
    [1, 2].map(async () => {
      const table = await dynamoDb.newTable()
      const { keys } = keyringOf({ store: await openTable(table), policy: 'derived-root', deriveContentSecret })
      const given = await issue(keys, [wantedOf(1), wantedOf(1, 'clear')])
      const { Count } = await dynamoDb.client.send(new ScanCommand({ TableName: table }))
      assert.equal(Count, 0)
      return given
    }),
  )
  assert.deepEqual(issued[0], issued[1])
})
