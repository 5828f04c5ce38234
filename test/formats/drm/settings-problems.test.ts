import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_SETTINGS } from '../../../src/formats/drm/settings.ts'
import { problemsOfSettings } from '../../../src/formats/drm/settings-problems.ts'
import { settingsWith } from './signaling.ts'

test('the defaults have no problem', () => assert.deepEqual(problemsOfSettings(DEFAULT_SETTINGS), []))

test('every problem is reported, by its member', () => {
  const problems = problemsOfSettings(
    settingsWith({
      playready: { kids: 'own', laUrl: 'a\0b', luiUrl: 'a\uffff', customAttributes: '<a' },
      fairplay: { skd: 'skd://{kit}' },
    }),
  )
  assert.deepEqual(
    problems.map((problem) => problem.slice(0, problem.indexOf(':'))),
    ['playready.laUrl', 'playready.luiUrl', 'playready.customAttributes', 'fairplay.skd'],
  )
})

test('custom attributes can be any well-formed XML', () => {
  const customAttributes = '<A xmlns="">1</A><B xmlns="urn:b" c="&amp;"/>'
  assert.deepEqual(problemsOfSettings(settingsWith({ playready: { kids: 'own', customAttributes } })), [])
  const ends = '</CUSTOMATTRIBUTES><CUSTOMATTRIBUTES>'
  assert.equal(problemsOfSettings(settingsWith({ playready: { kids: 'own', customAttributes: ends } })).length, 1)
})
