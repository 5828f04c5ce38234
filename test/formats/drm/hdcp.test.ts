import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hdcpOutputProtectionData } from '../../../src/formats/drm/elements.ts'
import { readXml } from '../../../src/formats/xml/reader.ts'
import type { SignalingVectors } from './signaling.ts'
import { vectors } from './vectors.ts'

const { hdcp_b64, hdcp_fragment } = vectors<SignalingVectors>('signaling.json')

test('the fragment of DASH-IF IOP, once in base64', () => {
  assert.equal(hdcpOutputProtectionData('1.4'), hdcp_b64)
  assert.equal(Buffer.from(hdcp_b64, 'base64').toString(), hdcp_fragment)
})

test('the version is escaped', () => {
  const xml = Buffer.from(hdcpOutputProtectionData('"<&'), 'base64')
  assert.equal(readXml(xml).root.attributes.find(({ name }) => name === 'value')?.value, '"<&')
})
