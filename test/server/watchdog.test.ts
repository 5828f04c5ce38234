import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Watchdog } from '../../src/server/watchdog.ts'

function watched(environment: Record<string, string>, pid = 7) {
  const runs: string[] = []
  const run = async (file: string, args: readonly string[]) => void runs.push(`${file} ${args.join(' ')}`)
  new Watchdog({ environment, pid, run }).close()
  return runs
}

const SYSTEMD = { WATCHDOG_USEC: '60000000', NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_PID: '7' }

test('notifies systemd of a process that it watches', () => {
  assert.deepEqual(watched(SYSTEMD), ['systemd-notify WATCHDOG=1'])
})

test('does nothing without a watchdog, and for another process', () => {
  assert.deepEqual(watched({}), [])
  assert.deepEqual(watched({ ...SYSTEMD, WATCHDOG_PID: '8' }), [])
  assert.deepEqual(watched({ ...SYSTEMD, WATCHDOG_USEC: '0' }), [])
})

test('a notification that fails changes nothing', async () => {
  const failed = Promise.reject(new Error('no'))
  const watchdog = new Watchdog({ environment: SYSTEMD, pid: 7, run: () => failed })
  await assert.rejects(failed)
  watchdog.close()
})
