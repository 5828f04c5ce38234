import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePssh } from '../../../src/formats/drm/payloads/pssh.ts'
import { decodeWidevinePsshData } from '../../../src/formats/drm/payloads/widevine-pssh-data.ts'
import { DEFAULT_SETTINGS } from '../../../src/formats/drm/settings.ts'
import { answering } from './answering.ts'
import { KID, KID_2, requestFor, rule, WIDEVINE } from './documents.ts'

const settings = {
  ...DEFAULT_SETTINGS,
  widevine: { ...DEFAULT_SETTINGS.widevine, cryptoPeriodIndex: true, hlsKeyId: true },
}
const periods = (...indexes: readonly string[]): string =>
  `${indexes.map((index) => `<cpix:ContentKeyPeriod id="p${index}" index="${index}"/>`).join('')}`
const inPeriods = (kid: string, track: string, filter: string, ...indexes: readonly string[]): string =>
  rule(kid, track, `${indexes.map((index) => `<cpix:KeyPeriodFilter periodId="p${index}"/>`).join('')}${filter}`)
const indexesIn = (xml: string): readonly (number | undefined)[] =>
  [...xml.matchAll(/<cpix:PSSH>([^<]+)</g)].map(
    ([, text = '']) => decodeWidevinePsshData(decodePssh(Buffer.from(text, 'base64')).data).cryptoPeriodIndex,
  )

test('the box of a rotating key has the index of its period, also when the same kid comes with another period', async () => {
  const answer = answering({ profile: { settings } })
  const request = (index: string): string =>
    requestFor(
      { kids: [KID], systems: [WIDEVINE] },
      {
        periods: periods(index),
        rules: `${inPeriods(KID, 'VIDEO', '<cpix:VideoFilter/>', index)}`,
      },
    )
  assert.deepEqual(indexesIn((await answer('2.0', request('7'))).xml), [7])
  assert.deepEqual(indexesIn((await answer('2.0', request('8'))).xml), [8])
})

test('a key without a period, of several periods, or of an index beyond 32 bits has none', async () => {
  const answer = answering({ profile: { settings } })
  assert.deepEqual(indexesIn((await answer('2.0', requestFor({ kids: [KID], systems: [WIDEVINE] }))).xml), [undefined])
  const rules = `${inPeriods(KID, 'VIDEO', '<cpix:VideoFilter/>', '1', '2')}${inPeriods(KID_2, 'AUDIO', '<cpix:AudioFilter/>', '4294967296')}`
  const xml = requestFor(
    { kids: [KID, KID_2], systems: [WIDEVINE] },
    { periods: periods('1', '2', '4294967296'), rules },
  )
  assert.deepEqual(indexesIn((await answer('2.0', xml)).xml), [undefined, undefined])
})
