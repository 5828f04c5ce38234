import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openPostgresStore } from '../../../../src/adapters/store/postgres/store.ts'
import { Readiness } from '../../../../src/server/assemble/key-provider.ts'
import { startPostgres } from './server.ts'

const server = await startPostgres()
after(() => server.remove())

test('a database that accepts no writes is not ready, until it accepts them again', async () => {
  const url = await server.newUrl()
  const store = await openPostgresStore({ url, connections: 1, migrate: true })
  let ms = 0
  const readiness = new Readiness(store, () => ms)
  const isReady = () => readiness.check()
  const isWritable = async (): Promise<boolean | undefined> =>
    store.checkWrites?.().then(
      () => true,
      () => false,
    )
  const readOnly = async (setting: 'on' | 'off'): Promise<void> => {
    await server.query(url, `ALTER SYSTEM SET default_transaction_read_only = ${setting}`)
    await server.query(url, 'SELECT pg_reload_conf()')
    // A connection that is open learns of it a little later.
    for (let tries = 0; tries < 200 && (await isWritable()) !== (setting === 'off'); tries++) await sleep(10)
    ms += 1_000
  }
  try {
    assert.equal(await isReady(), true)
    await readOnly('on')
    await assert.rejects(isReady(), { code: 'ERR_STORE_UNAVAILABLE', message: /read-only: name the primary/ })
    await readOnly('off')
    assert.equal(await isReady(), true)
  } finally {
    await store.close()
  }
})
