import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { assemble } from '../../../src/server/assemble/assemble.ts'
import { readConfig } from '../../../src/server/config/config.ts'
import { createMetrics } from '../../../src/server/observe/metrics.ts'
import { RunningServer } from '../../../src/server/start.ts'
import { keptLog } from '../fakes.ts'

const REQUEST = readFileSync(new URL('../../../docs/examples/hls-aes-128-v1.xml', import.meta.url), 'utf8')

test('a server whose writer is killed goes on: known contents at once, new ones soon, with another writer', async () => {
  const data = mkdtempSync(join(tmpdir(), 'keyspring-killed-'))
  const writers: Worker[] = []
  const keepWriter = (worker: Worker): void => void writers.push(worker)
  process.on('worker', keepWriter)
  const config = readConfig({ environment: { KEYSPRING_DATA: data, KEYSPRING_PORT: '0' } })
  const { log, lines } = keptLog()
  const metrics = await createMetrics('0.0.0')
  const keyProvider = await assemble(config, log, metrics)
  const server = await RunningServer.start(config, { keyProvider, log, metrics, version: '0.0.0' })
  const ask = async (contentId: string): Promise<number> => {
    const body = Buffer.from(REQUEST.replace('sample-channel', contentId))
    return (await fetch(`${server.url}/copyProtection`, { method: 'POST', body })).status
  }
  try {
    assert.equal(await ask('one'), 200)
    assert.equal(writers.length, 1)
    await writers[0]?.terminate()
    assert.equal(await ask('one'), 200)
    let status = await ask('two')
    for (let tries = 0; tries < 200 && status === 503; tries++) {
      await sleep(20)
      status = await ask('two')
    }
    assert.equal(status, 200)
    assert.equal(writers.length, 2)
    assert.equal((await fetch(`${server.url}/readyz`)).status, 200)
    assert.match((await metrics.render()).text, /^keyspring_store_writer_restarts_total 1$/m)
    assert.ok(
      lines.some(({ level, message }) => level === 'error' && message.startsWith('the writer of the store ended')),
    )
  } finally {
    process.off('worker', keepWriter)
    await server.close()
    rmSync(data, { recursive: true })
  }
})
