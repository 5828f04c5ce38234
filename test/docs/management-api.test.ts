import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { OPERATIONS } from '../../src/http/api/operations/operations.ts'
import { startProcess, temporaryDirectory } from '../cli/run.ts'
import { blocksOf, pageOf } from './pages.ts'

const page = pageOf('docs/guides/management-api.md')

const server = startProcess(['serve', '--port', '0'], {
  environment: { KEYSPRING_STORE: 'memory', KEYSPRING_DATA: temporaryDirectory() },
})
const url = (await server.stderr(/listens on (http:\S+?),/))[1] ?? ''
const tokenFile = (await server.stderr(/management token in (\S+)/))[1] ?? ''
const token = readFileSync(tokenFile, 'utf8').trim()

after(async () => {
  server.signal('SIGTERM')
  await server.done
})

/** A request as a page shows it. */
async function send(text: string): Promise<unknown> {
  const [head = '', body] = text.split('\n\n')
  const [line = '', ...fields] = head.trim().split('\n')
  const [method = '', path = ''] = line.split(' ')
  const headers = fields.map((field): [string, string] => {
    const at = field.indexOf(':')
    return [field.slice(0, at), field.slice(at + 1).trim()]
  })
  headers.push(['authorization', `Bearer ${token}`])
  const reply = await fetch(`${url}${path}`, { method, headers, ...(body === undefined ? {} : { body: body.trim() }) })
  return reply.json()
}

/** Times are those of the day. */
const timeless = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replaceAll(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"TIME"'))

test('the management API answers the requests of its guide as the guide says', async () => {
  const blocks = blocksOf(page)
  const requests = blocks.flatMap((block, i) =>
    block.language === 'http' ? [{ ...block, answer: blocks[i + 1] }] : [],
  )
  assert.ok(requests.length >= 6)
  for (const { text, answer } of requests) {
    assert.equal(answer?.language, 'json', text)
    assert.deepEqual(timeless(await send(text)), timeless(JSON.parse(answer?.text ?? '')), text)
  }
})

test('the guide of the management API names every path and method', () => {
  const lines = page.text.split('\n')
  for (const { method, path } of OPERATIONS) {
    const isNamed = lines.some((line) => line.includes(path) && line.includes(method.toUpperCase()))
    assert.ok(isNamed, `${method} ${path}`)
  }
})
