import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'

// What AWS runs a function in, as far as a test needs it: it loads the bundle, takes an event a line, one at a time, and tells results
// where nothing else is written.

const [, , file = ''] = process.argv
const results = createWriteStream('', { fd: 3 })
const tell = (told: object): void => void results.write(`${JSON.stringify(told)}\n`)

const { handler } = (await import(file)) as { readonly handler: (event: unknown) => Promise<object> }
tell({ isReady: true })
for await (const line of createInterface({ input: process.stdin })) {
  try {
    tell({ result: await handler(JSON.parse(line)) })
  } catch (error) {
    tell({ error: error instanceof Error ? error.message : 'thrown, but no error' })
  }
}
