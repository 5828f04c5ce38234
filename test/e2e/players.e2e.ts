import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { packageAes128 } from '../../src/demo/aes-128.ts'
import { packageCmaf, streamsOf } from '../../src/demo/cmaf.ts'
import { packager } from '../../src/demo/tools.ts'
import { type Browser, openBrowser, type Played, type PlayerName } from './browser.ts'
import { CLEAR_SYSTEMS, openStudio, SIGNER, type Studio } from './studio.ts'

let studio: Studio
let browser: Browser
/** Pictures of the clear stream, to hold the others against. */
const clear: Record<'sd' | 'hd' | 'ts', Buffer> = { sd: Buffer.alloc(0), hd: Buffer.alloc(0), ts: Buffer.alloc(0) }

before(async () => {
  studio = await openStudio()
  browser = await openBrowser(studio.web)
  await packageCmaf(studio.at('clear'), studio.clip)
  await packageAes128(studio.at('clear-ts'), studio.clip, [undefined, undefined, undefined])
  const url = studio.mediaUrl('clear', 'stream.mpd')
  clear.hd = (await browser.play({ player: 'shaka', url })).picture
  clear.sd = (await browser.play({ player: 'shaka', url, rendition: 'sd' })).picture
  clear.ts = (await browser.play({ player: 'hls', url: studio.mediaUrl('clear-ts', 'stream.m3u8') })).picture
  assert.notDeepEqual(clear.hd, clear.sd)
})
after(async () => {
  await browser.close()
  await studio.close()
})

/** It plays: time goes on, frames are decoded, and the picture is that of the clear stream, to the last pixel. */
function assertPlays(played: Played, picture: Buffer): void {
  const { plays, advanced = 0, frames, errors } = played
  assert.deepEqual({ plays, errors }, { plays: true, errors: [] })
  assert.ok(advanced > 1, `time went on by ${advanced} s`)
  assert.ok(frames > 20, `${frames} frames`)
  assert.ok(played.picture.equals(picture), 'the picture is that of the clear stream')
}

for (const scheme of ['cenc', 'cbcs'] as const) {
  describe(`${scheme} with three keys, for sound, SD and HD`, () => {
    const contentId = `shown-${scheme}`
    let token = ''
    before(async () => {
      await studio.publish(contentId, scheme)
      token = await studio.mint({ contentIds: [contentId] })
    })

    const license = (): { system: string; url: string } => {
      return { system: 'org.w3.clearkey', url: studio.licenseUrl(contentId) }
    }
    for (const rendition of ['sd', 'hd'] as const) {
      test(`plays in shaka-player, ${rendition}`, async () => {
        const url = studio.mediaUrl(contentId, 'stream.mpd')
        assertPlays(
          await browser.play({ player: 'shaka', url, token, rendition, license: license() }),
          clear[rendition],
        )
      })
    }

    test('plays in dash.js, which takes the licence URL from the manifest and sends credentials', async () => {
      const played = await browser.play({ player: 'dash', url: studio.mediaUrl(contentId, 'stream.mpd'), token })
      assertPlays(played, clear.hd)
      const asked = played.requests.filter(({ path }) => path === new URL(license().url).pathname)
      assert.ok(asked.length > 0)
      for (const { method, status, allowOrigin, allowCredentials } of asked) {
        const told = { method, status, allowOrigin, allowCredentials }
        assert.deepEqual(told, { method: 'POST', status: 200, allowOrigin: studio.web, allowCredentials: 'true' })
      }
    })
  })
}

test('cbcs plays in shaka-player as HLS, by the key URLs of its playlists', async () => {
  const contentId = 'shown-cbcs-hls'
  await studio.publish(contentId, 'cbcs')
  const url = studio.mediaUrl(contentId, 'stream.m3u8')
  const played = await browser.play({ player: 'shaka', url, token: await studio.mint() })
  assertPlays(played, clear.hd)
  assert.ok(
    played.requests.some(({ path, status }) => path.startsWith(`/keys/default/${contentId}/`) && status === 200),
  )
})

describe('ClearKey needs no permission for the keys of clear contents', () => {
  for (const player of ['shaka', 'dash'] as const) {
    test(`plays in ${player}`, async () => {
      const contentId = `clear-${player}`
      await studio.publish(contentId, 'cenc', CLEAR_SYSTEMS)
      const [url, token] = [studio.mediaUrl(contentId, 'stream.mpd'), await studio.mint()]
      const license = { system: 'org.w3.clearkey', url: studio.licenseUrl(contentId) }
      assertPlays(await browser.play({ player, url, token, license }), clear.hd)
    })
  }
})

describe('HLS AES-128 with two key rotations', () => {
  const contentId = 'aes-128'
  let token = ''
  before(async () => {
    const tracks = [0, 1, 2].map((period) => ({ kid: randomUUID(), trackType: 'ALL', period }))
    const keys = await studio.ask({ contentId, scheme: 'cbc1', systems: ['aes128'], tracks })
    await packageAes128(studio.at(contentId), studio.clip, keys)
    token = await studio.mint({ contentIds: [contentId] })
  })

  for (const player of ['hls', 'shaka'] as const) {
    test(`plays in ${player}, with three keys`, async () => {
      const url = studio.mediaUrl(contentId, 'stream.m3u8')
      const played = await browser.play({ player, url, token, playMs: 9_000, limitMs: 25_000 })
      assertPlays(played, clear.ts)
      const keys = played.requests.filter(({ method, status }) => method === 'GET' && status === 200)
      assert.equal(new Set(keys.map(({ path }) => path)).size, 3)
    })
  }
})

describe('in-band key rotation with a stock packager and the Widevine key API', () => {
  test('play in shaka-player', async () => {
    const contentId = 'shown-rotation'
    const folder = studio.at(contentId)
    await packageCmaf(folder, studio.clip)
    await packager(folder, [
      ...streamsOf(studio.clip),
      '--enable_widevine_encryption',
      `--key_server_url=${studio.url}/widevine/getcontentkey/${SIGNER.name}`,
      `--content_id=${Buffer.from(contentId).toString('hex')}`,
      ...[`--signer=${SIGNER.name}`, `--aes_signing_key=${SIGNER.key}`, `--aes_signing_iv=${SIGNER.iv}`],
      ...['--crypto_period_duration=4', '--clear_lead=0', '--protection_scheme=cenc'],
      '--protection_systems=Widevine,CommonSystem',
      `--segment_duration=${studio.clip.segmentSeconds}`,
      ...['--mpd_output=stream.mpd', '--generate_static_live_mpd'],
    ])
    const boxes = await Promise.all([1, 3, 5].map((n) => readFile(studio.at(contentId, `hd-${n}.m4s`))))
    assert.ok(boxes.every((segment) => segment.includes('pssh')))
    const played = await browser.play({
      player: 'shaka',
      url: studio.mediaUrl(contentId, 'stream.mpd'),
      token: await studio.mint({ contentIds: [contentId] }),
      license: { system: 'org.w3.clearkey', url: studio.licenseUrl(contentId) },
      playMs: 9_000,
      limitMs: 25_000,
    })
    assertPlays(played, clear.hd)
    const posts = played.requests.filter(({ method, status }) => method === 'POST' && status === 200)
    assert.ok(posts.length >= 3, `${posts.length} licences`)
  })
})

describe('errors name the status', () => {
  const contentId = 'shown-refused'
  const dash = (): string => studio.mediaUrl(contentId, 'stream.mpd')
  const hls = (): string => studio.mediaUrl('refused-aes-128', 'stream.m3u8')
  before(async () => {
    await studio.publish(contentId, 'cenc')
    await studio.publish('guarded', 'cenc')
    const tracks = [{ kid: randomUUID(), trackType: 'ALL' }]
    const keys = await studio.ask({ contentId: 'refused-aes-128', scheme: 'cbc1', systems: ['aes128'], tracks })
    await packageAes128(studio.at('refused-aes-128'), studio.clip, keys)
  })

  /** It does not play: no frame is decoded, and what the player tells has the status in it. */
  function assertRefused({ plays, frames, errors, requests }: Played, status: number): void {
    assert.equal(plays, false)
    assert.equal(frames, 0)
    assert.ok(requests.some((request) => request.status === status))
    assert.match(errors.join('\n'), new RegExp(`\\b${status}\\b`))
  }

  const TOKENS: Readonly<
    Record<string, { readonly status: number; readonly token: () => Promise<string | undefined> }>
  > = {
    'without a token': { status: 401, token: async () => undefined },
    'with a token of another issuer': { status: 401, token: () => studio.mint({}, '0'.repeat(64)) },
    'with a token that has expired': { status: 401, token: () => studio.mint({ expiresAt: Date.now() - 5_000 }) },
    'with a token for another content': { status: 403, token: () => studio.mint({ contentIds: ['another'] }) },
  }
  const STREAMS: readonly { readonly player: PlayerName; readonly url: () => string }[] = [
    { player: 'shaka', url: dash },
    { player: 'dash', url: dash },
    { player: 'hls', url: hls },
    { player: 'shaka', url: hls },
  ]
  for (const [how, { status, token }] of Object.entries(TOKENS)) {
    for (const { player, url } of STREAMS) {
      test(`${player} ${how}, ${url === dash ? 'DASH' : 'HLS AES-128'}: ${status}`, async () => {
        const bearer = await token()
        const license = { system: 'org.w3.clearkey', url: studio.licenseUrl(contentId) }
        const played = await browser.play({
          player,
          url: url(),
          limitMs: 6_000,
          ...(bearer === undefined ? {} : { token: bearer }),
          ...(player === 'shaka' && url === dash ? { license } : {}),
        })
        assertRefused(played, status)
      })
    }
  }

  for (const player of ['shaka', 'dash'] as const) {
    test(`${player} asks ClearKey for the keys of DRM content: 403`, async () => {
      const played = await browser.play({
        player,
        url: studio.mediaUrl('guarded', 'stream.mpd'),
        token: await studio.mint(),
        license: { system: 'org.w3.clearkey', url: studio.licenseUrl('guarded') },
        limitMs: 6_000,
      })
      assertRefused(played, 403)
    })
  }

  for (const { player, url } of STREAMS) {
    test(`${player} in a page of another origin, ${url === dash ? 'DASH' : 'HLS AES-128'}`, async () => {
      // The page is the same, but the browser does not give it what it may not read.
      const origin = studio.web.replace('127.0.0.1', 'localhost')
      const played = await browser.play({
        player,
        origin,
        url: url().replace('127.0.0.1', 'localhost'),
        token: await studio.mint(),
        license: { system: 'org.w3.clearkey', url: studio.licenseUrl(contentId) },
        limitMs: 6_000,
      })
      assert.deepEqual({ plays: played.plays, frames: played.frames }, { plays: false, frames: 0 })
      assert.ok(played.errors.length > 0)
    })
  }
})
