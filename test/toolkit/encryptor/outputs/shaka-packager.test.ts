import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { shaka } from '../../../../src/toolkit/encryptor/outputs/shaka.ts'
import { inspect } from '../../../../src/toolkit/inspect/inspect.ts'
import type { InspectNode } from '../../../../src/toolkit/inspect/node.ts'
import { answerTo, type Wish } from '../asking.ts'

const root = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url))
const SYSTEMS: Readonly<Record<string, string>> = { linux: 'linux', darwin: 'osx' }
const PACKAGER = root(`node_modules/shaka-packager/bin/packager-${SYSTEMS[process.platform]}-${process.arch}`)
const CLIP = root('src/demo/clip.mp4')
const skip = existsSync(PACKAGER) ? false : 'no Shaka Packager for this platform'

interface Packaged {
  readonly mpd: string
  readonly video: string
  readonly audio: string
}

/** Packages the clip of the demo with the flags for an answer. */
async function packaged(wish: Wish): Promise<Packaged> {
  const folder = mkdtempSync(join(tmpdir(), 'keyspring-shaka-'))
  try {
    const { text } = shaka.render(await answerTo(wish), {
      showKeys: false,
      fileBeside: undefined,
      trackIds: new Map(),
      track: undefined,
    })
    writeFileSync(join(folder, 'flags'), text)
    const stream = (kind: string, more = ''): string =>
      `in=${CLIP},stream=${kind},init_segment=${kind}.mp4,segment_template=${kind}$Number$.m4s,playlist_name=${kind}.m3u8${more}`
    const { status, stderr } = spawnSync(
      PACKAGER,
      [
        '--flagfile=flags',
        stream('video'),
        stream('audio', ',hls_group_id=audio,hls_name=audio'),
        '--clear_lead=0',
        '--mpd_output=m.mpd',
        '--generate_static_live_mpd',
        '--hls_master_playlist_output=m.m3u8',
        '--quiet',
      ],
      { cwd: folder, encoding: 'utf8', timeout: 60_000 },
    )
    assert.equal(status, 0, stderr)
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
    return { mpd: read('m.mpd'), video: read('video.m3u8'), audio: read('audio.m3u8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The kids that the PlayReady Objects of each AdaptationSet name, with its default_KID first. */
function playReadyKids(mpd: string): readonly (readonly string[])[] {
  return [...mpd.matchAll(/<AdaptationSet [\s\S]*?<\/AdaptationSet>/g)].map(([set]) => [
    /default_KID="([^"]+)"/.exec(set)?.[1] ?? '',
    ...[...set.matchAll(/<mspr:pro>([^<]+)</g)].flatMap(([, pro = '']) => valuesOf(inspect(pro).nodes, 'KID')),
    ...[...set.matchAll(/<cenc:pssh>([^<]+)</g)].flatMap(([, box = '']) => valuesOf(inspect(box).nodes, 'KID')),
  ])
}

function valuesOf(nodes: readonly InspectNode[], name: string): readonly string[] {
  return nodes.flatMap((node) => [
    ...(node.name === name && node.value !== undefined ? [node.value] : []),
    ...valuesOf(node.children ?? [], name),
  ])
}

describe('Shaka Packager with the flags of --format shaka', { skip }, () => {
  for (const scheme of ['cenc', 'cbcs']) {
    test(`signals the own key of every AdaptationSet with ${scheme}`, async () => {
      const { mpd } = await packaged({ drm: ['widevine', 'playready'], scheme })
      const sets = playReadyKids(mpd)
      assert.equal(sets.length, 2)
      assert.equal(new Set(sets.map(([kid]) => kid)).size, 2)
      for (const kids of sets) {
        assert.equal(kids.length, 3, 'default_KID, mspr:pro, cenc:pssh')
        assert.equal(new Set(kids).size, 1, kids.join())
      }
    })
  }

  for (const drm of [['fairplay'], ['widevine', 'fairplay']]) {
    test(`writes the FairPlay line for ${drm.join(' and ')}`, async () => {
      const { video } = await packaged({ drm, scheme: 'cbcs', video: 'SHARED' })
      const line = video.split('\n').find((one) => one.includes('skd://')) ?? ''
      assert.match(
        line,
        /^#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd:\/\/[^"]+",.*KEYFORMAT="com\.apple\.streamingkeydelivery"/,
      )
      assert.doesNotMatch(line, /IV=/)
      assert.equal(video.includes('edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'), drm.includes('widevine'))
    })
  }

  test('writes a FairPlay line with KEYFORMAT for each of two keys', async () => {
    const { video, audio } = await packaged({ drm: ['fairplay'], scheme: 'cbcs' })
    for (const playlist of [video, audio])
      assert.match(playlist, /URI="skd:.*KEYFORMAT="com\.apple\.streamingkeydelivery"/)
  })
})
