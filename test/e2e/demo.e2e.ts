import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import type { Stream } from '../../src/demo/streams.ts'
import { PACKAGE } from '../cli/run.ts'
import { type Browser, openBrowser } from './browser.ts'

/** `npm run demo`, and where its page is. */
async function startDemo(environment: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, ['src/demo/main.ts', '--port', '0'], {
    cwd: PACKAGE,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  let said = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const page = /open (http:\S+)\/demo/.exec(said)
      if (page?.[1] !== undefined) resolve(page[1])
    })
    child.once('close', () => reject(new Error(said)))
  })
  return {
    url,
    said: () => said,
    async stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}

describe('npm run demo', () => {
  let demo: Awaited<ReturnType<typeof startDemo>>
  let browser: Browser
  let page: Page
  let streams: readonly Stream[]
  before(async () => {
    demo = await startDemo()
    streams = await streamsOf(demo.url)
    browser = await openBrowser(demo.url)
    page = await browser.context.newPage()
    await page.goto(`${demo.url}/demo`)
  })
  after(async () => {
    await browser.close()
    assert.equal(await demo.stop(), 0)
  })

  const status = (text: RegExp) => page.locator('#status-text').filter({ hasText: text }).waitFor({ timeout: 10_000 })

  test('plays every stream in every player and shows the key requests', async () => {
    assert.equal(streams.length, 4)
    for (const [i, { plays }] of streams.entries()) {
      await page.locator('#streams button').nth(i).click()
      for (const at of plays.keys()) {
        await page.locator('#players button').nth(at).click()
        await page.locator('#clear').click()
        await status(/Playing/)
        assert.ok((await page.locator('#requests .badge.good').count()) > 0)
      }
    }
  })

  test('shows what happens without a token', async () => {
    for (const [name, refusal] of [
      ['Nothing', '401'],
      ['An expired token', '401'],
      ['Another film’s token', '403'],
    ] as const) {
      await page.locator('#tokens button', { hasText: name }).click()
      await status(new RegExp(`Refused with ${refusal}`))
      assert.equal(await page.locator('#refused-title').textContent(), refusal)
    }
    await page.locator('#tokens button', { hasText: 'A token' }).click()
    await status(/Playing/)
  })

  test('shows the manifest and the decoded signalling', async () => {
    await page.locator('#streams button').nth(0).click()
    const { keys } = streams[0] ?? assert.fail('no stream')
    const text = await page.locator('#detail').innerText()
    for (const { kid } of keys) assert.ok(text.split(kid).length > 3, 'each box names its kid')
    for (const expected of ['Widevine', 'PlayReady', 'https://playready.example.com/rightsmanager.asmx', 'AESCTR']) {
      assert.ok(text.includes(expected), expected)
    }
    await page.locator('#tabs button', { hasText: 'Manifest' }).click()
    assert.match(await page.locator('#detail').innerText(), /<MPD/)
    await page.locator('#tabs button', { hasText: 'SPEKE' }).click()
    assert.match(await page.locator('#detail').innerText(), /<cpix:CPIX/)
  })

  test('the page gets keys only from Keyspring', async () => {
    const told = JSON.stringify(streams)
    assert.doesNotMatch(told, /"key":/)
    const values = told.match(/<pskc:PlainValue>[^<]*/g) ?? []
    assert.ok(values.length >= 12)
    for (const value of values) assert.match(value, /^<pskc:PlainValue>•+$/)
  })
})

test('npm run demo without FFmpeg uses the included clip', async () => {
  const demo = await startDemo({ PATH: '/nowhere' })
  assert.match(demo.said(), /FFmpeg is not installed/)
  const streams = await streamsOf(demo.url)
  const browser = await openBrowser(demo.url)
  const page = await browser.context.newPage()
  await page.goto(`${demo.url}/demo`)
  for (const i of streams.keys()) {
    await page.locator('#streams button').nth(i).click()
    await page.locator('#play').click()
    await page
      .locator('#status-text')
      .filter({ hasText: /Playing/ })
      .waitFor({ timeout: 10_000 })
  }
  assert.equal(streams.length, 2)
  await browser.close()
  await demo.stop()
})

async function streamsOf(url: string): Promise<readonly Stream[]> {
  const response = await fetch(`${url}/demo/streams.json`)
  const told = (await response.json()) as { readonly streams: readonly Stream[] }
  return told.streams
}
