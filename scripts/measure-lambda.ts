import { performance } from 'node:perf_hooks'
import { startFakeKms } from '../test/adapters/root-keys/fake-kms.ts'
import { startDynamoDb } from '../test/adapters/store/dynamodb/server.ts'
import { KIDS, PLAYREADY, requestFor, WIDEVINE } from '../test/protocols/speke/documents.ts'
import { eventOf, readResult } from '../test/server/lambda/events.ts'
import { bundle, environmentOn, startInstance } from '../test/server/lambda/instance.ts'

// npm run bench:lambda [RUNS]: the function as one file, each time in a fresh process, with an emulated table and KMS beside it: from
// the start of the process to the first answer, of a content that is known, and of one that is new.

const runs = Math.max(1, Number(process.argv[2] ?? 9))
const [built, dynamoDb, kms] = await Promise.all([bundle(), startDynamoDb(), startFakeKms()])
const table = await dynamoDb.newTable()
const environment = {
  ...environmentOn(dynamoDb, table, kms),
  KEYSPRING_AUTH_GATEWAY_CALLERS: '111122223333',
  KEYSPRING_PLAYBACK_ACCESS: 'open',
}
const eventFor = (contentId: string) =>
  eventOf('rest-api', {
    method: 'POST',
    path: '/copyProtection',
    headers: { 'Content-Type': 'application/xml', 'X-Speke-Version': '2.0' },
    body: requestFor({ contentId, kids: KIDS.slice(0, 2), systems: [WIDEVINE, PLAYREADY] }),
    caller: 'arn:aws:sts::111122223333:assumed-role/SpekeRole/encryptor',
  })

/** Milliseconds until the bundle had started, until its first answer, and of an answer after that. */
async function measure(first: string): Promise<readonly [ready: number, answered: number, warm: number]> {
  const startedAt = performance.now()
  const instance = startInstance(built.file, environment)
  const ready = await instance.ready
  const ask = async (contentId: string): Promise<void> => {
    const { status, bytes } = readResult(await instance.invoke(eventFor(contentId)))
    if (status !== 200) throw new Error(`answered ${status}: ${bytes}`)
  }
  await ask(first)
  const answered = performance.now() - startedAt
  for (let n = 0; n < 20; n++) await ask('known')
  const warmAt = performance.now()
  await ask('known')
  const warm = performance.now() - warmAt
  await instance.stop()
  return [ready, answered, warm]
}

const median = (values: readonly number[]): string =>
  ([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN).toFixed(0)
const kilobytes = (size: number): string => `${(size / 1_024).toFixed(0)} KB`

try {
  process.stdout.write(
    `bundle ${kilobytes(built.bytes)}, zip ${kilobytes(built.zippedBytes)}, ${runs} runs, medians:\n`,
  )
  await measure('known')
  for (const [what, contentOf] of [
    ['a content that is known', () => 'known'],
    ['a new content', (run: number) => `new-${run}`],
  ] as const) {
    const measured: (readonly [number, number, number])[] = []
    for (let run = 0; run < runs; run++) measured.push(await measure(contentOf(run)))
    const [ready, answered, warm] = [0, 1, 2].map((column) => median(measured.map((one) => one[column] ?? 0)))
    process.stdout.write(`  ${what}: started after ${ready} ms, answered after ${answered} ms, then ${warm} ms\n`)
  }
} finally {
  built.remove()
  await Promise.all([dynamoDb.remove(), kms.close()])
}
