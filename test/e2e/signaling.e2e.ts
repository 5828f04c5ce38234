import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { streamsOf } from '../../src/demo/cmaf.ts'
import { packager } from '../../src/demo/tools.ts'
import { type Browser, openBrowser } from './browser.ts'
import { openStudio, type Studio } from './studio.ts'

let studio: Studio
let browser: Browser
before(async () => {
  studio = await openStudio()
  browser = await openBrowser(studio.web)
})
after(async () => {
  await browser.close()
  await studio.close()
})

describe('the LA_URL of our PlayReady object', () => {
  before(async () => {
    await studio.publish('playready', 'cenc', ['playready'])
  })

  for (const player of ['shaka', 'dash'] as const) {
    test(`is where ${player} posts its challenge, when the browser has PlayReady`, async () => {
      studio.licenses.asked.length = 0
      const played = await browser.play({
        player,
        url: studio.mediaUrl('playready', 'stream.mpd'),
        fakeCdm: 'com.microsoft.playready',
        limitMs: 4_000,
      })
      assert.equal(played.plays, false, played.errors.join(', '))
      const [asked] = studio.licenses.asked
      assert.equal(asked?.path, '/playready?a=1&b=2', played.errors.join(', '))
    })
  }
})

describe('the boxes of Shaka Packager for the same kid', () => {
  for (const scheme of ['cenc', 'cbcs'] as const) {
    test(`equal those of Keyspring: Widevine, PlayReady and the common box, ${scheme}`, async () => {
      const contentId = `boxes-${scheme}`
      // One key, for the packager puts all kids into each of its boxes; no LA_URL, for it has none.
      const tracks = [{ kid: randomUUID(), trackType: 'ALL' }]
      const keys = await studio.ask({ contentId, scheme, systems: ['widevine', 'playready', 'common'], tracks })
      const [{ kid, key, iv, signaling } = assert.fail('no key')] = keys
      await mkdir(studio.at(contentId))
      await packager(studio.at(contentId), [
        ...streamsOf(studio.clip),
        '--enable_raw_key_encryption',
        `--keys=label=:key_id=${kid.replaceAll('-', '')}:key=${key}${iv === undefined ? '' : `:iv=${iv}`}`,
        ...[`--protection_scheme=${scheme}`, '--protection_systems=Widevine,PlayReady,CommonSystem', '--clear_lead=0'],
        ...['--mpd_output=own.mpd', '--generate_static_live_mpd'],
      ])
      const mpd = await readFile(studio.at(contentId, 'own.mpd'), 'utf8')
      for (const { system, systemId, pssh } of signaling) {
        const own = new RegExp(`urn:uuid:${systemId}"[^>]*>\\s*<cenc:pssh>([^<]+)<`).exec(mpd)?.[1]
        assert.equal(pssh, own, system)
      }
      assert.equal(signaling.length, 3)
    })
  }
})
