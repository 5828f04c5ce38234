import { once } from 'node:events'
import { openAuditFiles } from '../../../src/adapters/audit-files/files.ts'
import { ChainedAuditLog } from '../../../src/operations/audit/log.ts'
import { entryOf, SERVER } from './fixtures.ts'

// A process that writes an audit log as a server does, for the tests of one that is killed, and of several.

const [, , mode = '', directory = '', lockWaitMs = '0'] = process.argv
const sink = openAuditFiles({ directory, node: 'n1', lockWaitMs: Number(lockWaitMs) })
const log = new ChainedAuditLog({ sink, node: 'n1', heads: undefined, startedBy: SERVER, now: () => Date.now() })

if (mode === 'write') {
  // Acknowledges each record on a line of its own, until it is killed.
  for (let number = 0; ; number += 4) {
    const numbers = [0, 1, 2, 3].map((more) => number + more)
    await Promise.all(numbers.map((one) => log.write(entryOf(one)).then(() => process.stdout.write(`${one}\n`))))
  }
} else if (mode === 'fill') {
  // Until the file may grow no further; then says why.
  for (let number = 0; ; number++) {
    const error: unknown = await log.write(entryOf(number)).catch((caught: unknown) => caught)
    if (error === undefined) continue
    process.stdout.write(JSON.stringify({ number, code: Reflect.get(Object(error), 'code'), message: String(error) }))
    break
  }
  process.exit()
} else if (mode === 'hold') {
  await log.start()
  process.stdout.write('held\n')
  await once(process.stdin, 'data')
  await log.close()
  process.exit()
} else {
  await log.write(entryOf(1))
  await log.close()
}
