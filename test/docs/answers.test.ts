import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { readXml } from '../../src/formats/xml/reader.ts'
import { PACKAGE, startProcess } from '../cli/run.ts'
import { blocksOf, PAGES, pageOf } from './pages.ts'

const EXAMPLES = 'docs/examples'
/** The request that `keyspring serve` prints; README.md shows its answer. */
const SAMPLE = `${EXAMPLES}/widevine-playready-cenc.xml`

const server = startProcess(['serve', '--port', '0'], { environment: { KEYSPRING_STORE: 'memory' } })
const url = (await server.stderr(/listens on (http:\S+?),/))[1] ?? ''

after(async () => {
  server.signal('SIGTERM')
  await server.done
})

/** Posts a request of the documentation with the version of its comment. */
function post(file: string, version = versionOf(file)): Promise<Response> {
  const headers = {
    'content-type': 'application/xml',
    ...(version === undefined ? {} : { 'x-speke-version': version }),
  }
  return fetch(`${url}/speke/v2.0/copyProtection`, { method: 'POST', headers, body: readFileSync(join(PACKAGE, file)) })
}

function versionOf(file: string): string | undefined {
  const text = readFileSync(join(PACKAGE, file), 'utf8')
  const [, version] = /Send with X-Speke-Version: (\S+) -->/.exec(text) ?? []
  assert.ok(
    version !== undefined || text.includes('Send without X-Speke-Version -->'),
    `${file} does not say its version`,
  )
  return version
}

describe('requests in the documentation', () => {
  for (const name of readdirSync(join(PACKAGE, EXAMPLES))) {
    test(`${EXAMPLES}/${name} is answered`, async () => {
      const response = await post(`${EXAMPLES}/${name}`)
      const text = await response.text()
      assert.equal(response.status, 200, text)
      assert.doesNotThrow(() => readXml(Buffer.from(text)))
    })
  }

  test('are well-formed where a page shows a part of one', () => {
    for (const page of PAGES) {
      for (const { text } of blocksOf(page).filter(({ language }) => language === 'xml')) {
        const whole = text.startsWith('<?xml') ? text : `<x xmlns:cpix="urn:dashif:org:cpix">${text}</x>`
        assert.doesNotThrow(() => readXml(Buffer.from(whole)), page.file)
      }
    }
  })
})

/** An answer without keys, and with long base64 cut as in README.md. */
function shorten(answer: string): string {
  return answer
    .replace(/(?<=PlainValue>)[A-Za-z0-9+/]{22}==(?=<)/g, 'KEY')
    .replace(/(?<=>)([A-Za-z0-9+/]{32})[A-Za-z0-9+/]+=*(?=<)/g, '$1…')
}

test('README.md shows part of the answer that its request gets', async () => {
  const shown = blocksOf(pageOf('README.md')).find(({ language }) => language === 'xml')?.text ?? ''
  const answer = shorten(await (await post(SAMPLE)).text())
  const lines = answer.split('\n')
  let at = 0
  for (const line of shorten(shown).trim().split('\n')) {
    const found = lines.indexOf(line, at)
    assert.ok(found >= 0, `the answer has no line after its line ${at}: ${line}`)
    at = found + 1
  }
  assert.match(shown, /<pskc:PlainValue>[A-Za-z0-9+/]{22}==</)
  assert.match(shown, /<cpix:PSSH>/)
})

test('docs/guides/debug-an-integration.md shows the answer to a request without the version header', async () => {
  const page = pageOf('docs/guides/debug-an-integration.md')
  const shown = blocksOf(page).find(({ text }) => text.startsWith('HTTP/1.1 422'))
  const [head = '', body = ''] = (shown?.text ?? '').split('\n\n')
  const [line, ...headers] = head.split('\n')
  const response = await fetch(`${url}/speke/v2.0/copyProtection`, {
    method: 'POST',
    headers: { 'content-type': 'application/xml' },
    body: readFileSync(join(PACKAGE, SAMPLE)),
  })
  assert.equal(`HTTP/1.1 ${response.status} ${response.statusText}`, line)
  for (const header of headers) {
    const [name = '', ...value] = header.split(': ')
    if (value.join(': ') === '…') assert.ok(response.headers.has(name))
    else assert.equal(response.headers.get(name), value.join(': '), name)
  }
  assert.equal(await response.text(), body.trim())
})

test('README.md shows what the start prints', async () => {
  const shown = blocksOf(pageOf('README.md')).find(({ text }) => text.includes('keyspring listens on'))?.text ?? ''
  const [, command] = await server.stderr(/try:\n {2}(curl .*)\n/)
  assert.ok(shown.includes(command?.replace(url, 'http://127.0.0.1:8080') ?? 'nothing'), shown)
})
