import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { guidBytes, kidOfBytes } from '../../../src/formats/cenc.ts'
import { inspect } from '../../../src/toolkit/inspect/inspect.ts'
import { kidOf, vectors } from '../../formats/drm/vectors.ts'
import { broken, found, named, sound, values } from './looking.ts'

const packaged = vectors<{ origin: string; kid: string; cbcs: { mpd: string }; cenc: { mpd: string } }>('packaged.json')
const signaling = vectors<Record<string, string>>('signaling.json')
const KID = packaged.kid
const SWAPPED = kidOfBytes(guidBytes(kidOf(KID)))

describe(`MPDs of ${packaged.origin}`, () => {
  for (const scheme of ['cbcs', 'cenc'] as const) {
    const { mpd } = packaged[scheme]

    test(`every ContentProtection of ${scheme} is decoded`, () => {
      const inspection = sound(mpd, 'DASH MPD')
      assert.deepEqual(values(inspection, '@cenc:default_KID'), [KID])
      assert.deepEqual(values(inspection, '@value').slice(0, 1), [scheme])
      assert.deepEqual(values(inspection, 'key_ids'), [KID])
      assert.equal(named(inspection, 'cenc:pssh').length, 3)
      assert.deepEqual(
        named(inspection, 'ContentProtection').map(({ meaning }) => meaning),
        ['the protection scheme and the key', 'W3C Common PSSH', 'PlayReady', 'Widevine'],
      )
    })

    test(`a default_KID in the wrong byte order is reported for every element (${scheme})`, () => {
      const text = found(inspect(mpd.replace(KID, SWAPPED)))
      assert.equal(text.filter((one) => one.includes('wrong byte order')).length, 4)
    })

    test(`it breaks at a line and column when it is cut short (${scheme})`, () => {
      assert.match(broken(mpd.slice(0, mpd.indexOf('</Period>'))), /breaks at line \d+, column \d+: /)
    })
  }
})

test('an MPD without protection says so', () => {
  assert.match(
    sound('<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>', 'DASH MPD').nodes[0]?.meaning ?? '',
    /no ContentProtection/,
  )
})

test('a Representation is compared with the default_KID above it', () => {
  const box =
    /<ContentProtection schemeIdUri="urn:uuid:edef[\s\S]*?<\/ContentProtection>/.exec(packaged.cbcs.mpd)?.[0] ?? ''
  const moved = packaged.cbcs.mpd
    .replace(box, '')
    .replace('<SegmentTemplate', `${box}<SegmentTemplate`)
    .replace(KID, SWAPPED)
  assert.match(found(inspect(moved)).join('\n'), /wrong byte order/)
})

describe('elements by themselves', () => {
  test('are explained as a ContentProtectionData has them', () => {
    const inspection = sound(signaling.cpd_widevine_fragment ?? '', 'ContentProtection elements')
    assert.deepEqual(values(inspection, 'key_ids'), [KID])
    assert.deepEqual(sound(signaling.cpd_widevine_b64 ?? '', 'ContentProtection elements').encodings, ['base64'])
  })

  test('of ClearKey say where the licence is', () => {
    const [url] = named(sound(signaling.clearkey_cpd_fragment ?? '', 'ContentProtection elements'), 'Laurl')
    assert.match(url?.meaning ?? '', /licence/)
  })

  test('with a prefix that the whole manifest declares are explained', () => {
    const inspection = sound(`<cenc:pssh>${signaling.wv_pssh_cenc_b64}</cenc:pssh>`, 'ContentProtection elements')
    assert.deepEqual(values(inspection, 'key_ids'), [KID])
    assert.match(found(inspection, true).join(), /note: the prefix cenc is not declared in this text/)
    assert.deepEqual(inspection.nodes[0]?.place, { line: 1, column: 1 })
  })

  test('in another namespace are reported', () => {
    assert.match(
      found(inspect('<pssh xmlns="urn:other">AAAA</pssh>')).join('\n'),
      /players look for it in the namespace urn:mpeg:cenc:2013/,
    )
  })

  test('with base64 that breaks say where', () => {
    assert.match(broken('<pssh xmlns="urn:mpeg:cenc:2013">AAA!</pssh>'), /breaks at character 4/)
  })
})

describe('an element is compared with its descriptor', () => {
  const adaptationSet = (scheme: string, system: string, inside: string): string =>
    `<AdaptationSet xmlns:cenc="urn:mpeg:cenc:2013" xmlns:mspr="urn:microsoft:playready"><ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="${scheme}" cenc:default_KID="${KID}"/><ContentProtection schemeIdUri="urn:uuid:${system}">${inside}</ContentProtection></AdaptationSet>`
  const widevine = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'
  const playready = '9a04f079-9840-4286-ab92-e65be0885f95'
  const box = `<cenc:pssh>${signaling.wv_pssh_cenc_b64}</cenc:pssh>`
  const { objects } = vectors<{ objects: readonly { object: string }[] }>('playready.json')
  const object = `<mspr:pro>${objects[0]?.object}</mspr:pro>`

  test('a PlayReady Object belongs into the descriptor of PlayReady', () => {
    assert.deepEqual(found(inspect(adaptationSet('cenc', widevine, object))), [
      'warning: mspr:pro is of PlayReady, not of the system of this element',
    ])
    sound(adaptationSet('cenc', playready, object), 'DASH MPD')
  })

  test('every scheme is compared with protection_scheme, and with the cipher of ALGID', () => {
    for (const scheme of ['cens', 'cbc1', 'cbcs']) {
      assert.match(found(inspect(adaptationSet(scheme, widevine, box))).join(), /says cenc .*: players cannot decrypt/)
    }
    sound(adaptationSet('cenc', widevine, box), 'DASH MPD')
    sound(adaptationSet('cens', playready, object), 'DASH MPD')
    assert.match(
      found(inspect(adaptationSet('cbc1', playready, object))).join(),
      /says cenc .*: players cannot decrypt/,
    )
  })

  test('two boxes of one system in two elements are reported', () => {
    assert.match(
      found(inspect(adaptationSet('cenc', widevine, box + box))).join(),
      /there are 2 pssh boxes of Widevine/,
    )
  })
})

test('PlayReady with its id in the wrong byte order is reported', () => {
  const mpd = packaged.cbcs.mpd.replace('9a04f079-9840-4286', '79f0049a-4098-8642')
  assert.match(found(inspect(mpd)).join('\n'), /bytes in the wrong order: only old HbbTV/)
})

test('a Smooth Streaming manifest has its ProtectionHeader decoded', () => {
  const { objects } = vectors<{ objects: readonly { object: string }[] }>('playready.json')
  const manifest = `<SmoothStreamingMedia><Protection><ProtectionHeader SystemID="9A04F079-9840-4286-AB92-E65BE0885F95">${objects[0]?.object}</ProtectionHeader></Protection></SmoothStreamingMedia>`
  const inspection = sound(manifest, 'Smooth Streaming manifest')
  assert.deepEqual(values(inspection, 'KID'), [KID])
  assert.equal(named(inspection, 'SystemID')[0]?.meaning, 'PlayReady')
})
