import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judge } from '../../../src/toolkit/rules/judge.ts'
import { readSide } from '../../../src/toolkit/rules/side.ts'
import { requestOf, type Wish } from '../encryptor/asking.ts'
import { BROKEN_REQUESTS } from './broken-requests.ts'

const findingsOf = (xml: string) => {
  const request = readSide(Buffer.from(xml))
  const version = request.view?.version ?? requestOf().version
  return judge({ as: 'spec', version, request }).findings
}

describe('broken requests', () => {
  for (const { rule, how, speke = '2.0', break: damage } of BROKEN_REQUESTS) {
    test(`${rule} finds: ${how}`, () => {
      const tracks: Wish = speke === '1.0' ? { video: 'SHARED' } : { video: 'VIDEO-2', audio: 'AUDIO-1' }
      const { xml } = requestOf({ ...tracks, speke, drm: ['widevine', 'playready'], periods: { interval: 60 } })
      const broken = damage(xml)
      assert.notEqual(broken, xml)
      assert.deepEqual(findingsOf(xml), [])
      const findings = findingsOf(broken)
      assert.ok(
        findings.some((finding) => finding.rule === rule),
        `told by ${JSON.stringify(findings)}`,
      )
    })
  }
})

test('a finding has its side, XPath, line and column', () => {
  const { xml } = requestOf({ drm: ['widevine'] })
  const [finding] = findingsOf(xml.replace('playlist="media"', 'playlist="medium"'))
  assert.deepEqual(finding?.place, {
    side: 'request',
    path: '/cpix:CPIX/cpix:DRMSystemList/cpix:DRMSystem[1]/cpix:HLSSignalingData[1]',
    line: 10,
    column: 7,
  })
})
