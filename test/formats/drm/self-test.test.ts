import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base64 } from '../../../src/core/template.ts'
import { DRM_SYSTEMS } from '../../../src/formats/drm/facts.ts'
import { selfTestSignaling } from '../../../src/formats/drm/self-test.ts'
import { widevine } from './signaling.ts'

test('this build signals the published bytes', () => selfTestSignaling(DRM_SYSTEMS))

test('a build that signals other bytes is rejected by name', () => {
  const broken = { ...widevine, signal: () => ({ pssh: base64('not a box') }) }
  assert.throws(() => selfTestSignaling(new Map([[widevine.systemId, broken]])), {
    code: 'ERR_SELF_TEST_FAILED',
    message: /Widevine with cenc/,
  })
})
