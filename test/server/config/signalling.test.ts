import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemIdOf } from '../../../src/formats/cenc.ts'
import { DRM_SYSTEMS } from '../../../src/formats/drm/facts.ts'
import { DEFAULT_PROFILE, MEDIAPACKAGE_V2_PROFILE } from '../../../src/protocols/speke/profile.ts'
import { profileChooser, toProfiles } from '../../../src/server/config/signalling.ts'

const WIDEVINE = systemIdOf('edef8ba9-79d6-4ace-a3c8-27dcd51d21ed')
const systems = [...DRM_SYSTEMS.values()]
const profilesOf = (written: Parameters<typeof toProfiles>[0]) => toProfiles(written, systems, assert.fail)

test('two profiles are shipped', () => {
  const profiles = profilesOf({})
  assert.deepEqual(
    [...profiles],
    [
      ['default', DEFAULT_PROFILE],
      ['mediapackage-v2', MEDIAPACKAGE_V2_PROFILE],
    ],
  )
})

test('a profile changes what it names in the shipped one of its name', () => {
  const profile = profilesOf({ 'mediapackage-v2': { playready: { laUrl: 'https://la.example' } } }).get(
    'mediapackage-v2',
  )
  assert.deepEqual(profile, {
    ...MEDIAPACKAGE_V2_PROFILE,
    settings: { ...MEDIAPACKAGE_V2_PROFILE.settings, playready: { kids: 'own', laUrl: 'https://la.example' } },
  })
})

test('a profile of a new name changes the default', () => {
  const profile = profilesOf({ mine: { explicitIv: 'always', v1: {}, widevine: { provider: undefined } } }).get('mine')
  assert.deepEqual(profile, { ...DEFAULT_PROFILE, name: 'mine', explicitIv: 'always' })
})

test('a system is named by its name or its id, in any letter case', () => {
  const profile = profilesOf({
    mine: { robustness: { widevine: { '*': 'HW' } }, allowedCpc: { [WIDEVINE.toUpperCase()]: 'a' } },
  }).get('mine')
  assert.deepEqual(profile?.robustness, { [WIDEVINE]: { '*': 'HW' } })
  assert.deepEqual(profile?.allowedCpc, { [WIDEVINE]: 'a' })
})

const fitting: readonly [string, string, boolean][] = [
  ['film', 'film', true],
  ['film', 'films', false],
  ['live-*', 'live-', true],
  ['live-*', 'live-7', true],
  ['live-*', 'a-live-7', false],
  ['*-uhd', 'film-uhd', true],
  ['*-uhd', 'film-uhd2', false],
  ['*', '', true],
  ['a*b*c', 'aXbYc', true],
  ['a*b*c', 'abc', true],
  ['a*b*c', 'acb', false],
  ['ab*ba', 'aba', false],
  ['a*a*a', 'aa', false],
  ['a.c', 'abc', false],
]
for (const [pattern, contentId, fits] of fitting) {
  test(`the rule ${pattern} ${fits ? 'fits' : 'does not fit'} ${JSON.stringify(contentId)}`, () => {
    const choose = profileChooser(profilesOf({}), 'default', [
      { contentId: pattern, signalingProfile: 'mediapackage-v2' },
    ])
    assert.equal(choose(contentId).name, fits ? 'mediapackage-v2' : 'default')
  })
}

test('the first rule that fits decides', () => {
  const choose = profileChooser(profilesOf({}), 'default', [
    { contentId: 'a*', signalingProfile: 'mediapackage-v2' },
    { contentId: '*', signalingProfile: 'default' },
  ])
  assert.equal(choose('ab').name, 'mediapackage-v2')
  assert.equal(choose('b').name, 'default')
})
