import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { concat, fillText, holeOf } from '../../../src/core/template.ts'
import { base64Of, signalElements } from '../../../src/formats/drm/elements.ts'
import { DRM_SYSTEM_FACTS, DRM_SYSTEMS } from '../../../src/formats/drm/facts.ts'
import { playReadyObjectTemplate } from '../../../src/formats/drm/payloads/playready-object.ts'
import { drmSystemFromTemplate } from '../../../src/formats/drm/template/system.ts'
import { readXml } from '../../../src/formats/xml/reader.ts'
import { hlsAttributesOf, inputWith, KEY, settingsWith, testFilling } from './signaling.ts'
import { DRM_SYSTEM_EXAMPLES } from './template/examples.ts'

const ALL = ['cenc', 'cens', 'cbc1', 'cbcs']

test('the table has the schemes, class and SPEKE versions of every signalled system', () => {
  assert.deepEqual(
    [...DRM_SYSTEMS.values()].map((system) => [
      system.systemId,
      system.commonEncryptionSchemes,
      system.contentKeyClass,
      system.spekeMajors,
      system.impliedScheme,
      system.refusesContentProtectionData,
      system.fillsContentProtectionDataInV1,
    ]),
    [
      ['edef8ba9-79d6-4ace-a3c8-27dcd51d21ed', ['cenc', 'cbcs'], 'drm', [1, 2], undefined, undefined, undefined],
      ['9a04f079-9840-4286-ab92-e65be0885f95', ['cenc', 'cbcs'], 'drm', [1, 2], undefined, undefined, undefined],
      ['94ce86fb-07ff-4f43-adb8-93d2fa968ca2', ['cbcs'], 'drm', [1, 2], 'cbcs', true, undefined],
      ['3ea8778f-7742-4bf9-b18b-e834b2acbd47', ['cbc1'], 'clear', [1, 2], undefined, undefined, undefined],
      ['81376844-f976-481e-a84e-cc25d39b0b33', ['cbc1'], 'clear', [1], undefined, undefined, undefined],
      ['be58615b-19c4-4684-88b3-c8c57e99e957', ['cbcs'], 'clear', [1, 2], 'cbcs', undefined, undefined],
      ['1077efec-c0b2-4d02-ace3-3c1e52e2fb4b', ALL, 'clear', [1, 2], undefined, undefined, true],
      ['e2719d58-a985-b3c9-781a-b030af78d30e', ['cenc', 'cbcs'], 'clear', [1, 2], undefined, undefined, true],
    ],
  )
})

test('every system id occurs once in the table of facts', () => {
  assert.equal(DRM_SYSTEM_FACTS.size, new Set([...DRM_SYSTEM_FACTS.values()].map(({ systemId }) => systemId)).size)
  for (const [systemId, facts] of DRM_SYSTEM_FACTS) assert.equal(facts.systemId, systemId)
})

test('each system id and KEYFORMAT is written in one file of src/', () => {
  const folder = fileURLToPath(new URL('../../../src', import.meta.url))
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(?:ts|js|html|json)$/.test(path))
    .map((path) => ({ path: path.replaceAll('\\', '/'), text: readFileSync(join(folder, path), 'utf8').toLowerCase() }))
  for (const { systemId, keyFormat } of DRM_SYSTEM_FACTS.values()) {
    const [start = ''] = systemId.split('-')
    const spellings = [start, systemId.replaceAll('-', ''), ...(keyFormat?.startsWith('com.') ? [keyFormat] : [])]
    for (const spelling of spellings) {
      const found = files.filter(({ text }) => text.includes(spelling)).map(({ path }) => path)
      assert.ok(found.length <= 1 && found.every((path) => path === 'formats/drm/facts.ts'), `${spelling}: ${found}`)
    }
  }
})

const everySystem = [...DRM_SYSTEMS.values(), ...DRM_SYSTEM_EXAMPLES.map(drmSystemFromTemplate)]
const settings = settingsWith({ widevine: { contentId: true, provider: 'p' }, fairplay: { skd: 'skd://{contentId}' } })

for (const system of everySystem) {
  describe(`${system.name}, with any contentId`, () => {
    const odd = fc.oneof(
      fc.constantFrom('"', '\n', '\r\n', '🔑', '<&>', ']]>', '\\', '%', '{kid}', "'", '$&', 'x'.repeat(256)),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 256 }),
    )
    for (const commonEncryptionScheme of system.commonEncryptionSchemes) {
      test(`${commonEncryptionScheme}: XML is well-formed, HLS lines are attribute lists, and they contain no key`, () => {
        fc.assert(
          fc.property(odd, (contentId) => {
            const input = inputWith({ contentId, commonEncryptionScheme, explicitIv: 'derived', settings })
            const elements = signalElements(system, input)
            const text = (name: keyof typeof elements): string | undefined => {
              const template = elements[name]
              return template && Buffer.from(fillText(template, testFilling()), 'base64').toString()
            }
            const xml = text('contentProtectionData')
            if (xml !== undefined) readXml(Buffer.from(`<x>${xml}</x>`))
            const [media, master] = [text('hlsMedia'), text('hlsMaster')]
            if (media !== undefined && master !== undefined) {
              assert.ok(media.startsWith('#EXT-X-KEY:METHOD=') && master.startsWith('#EXT-X-SESSION-KEY:METHOD='))
              assert.deepEqual(hlsAttributesOf(media), hlsAttributesOf(master))
              assert.equal(media.replace('#EXT-X-KEY', '#EXT-X-SESSION-KEY'), master)
            }
            const all = Object.values(elements).map((template) => fillText(template, testFilling()))
            for (const element of all) {
              assert.match(element, /^[A-Za-z\d+/]*={0,2}$/)
              assert.equal(Buffer.from(element, 'base64').indexOf(KEY), -1)
            }
          }),
          { numRuns: 40 },
        )
      })
    }
    test('signals the same for the same input', () => {
      const [commonEncryptionScheme = 'cenc'] = system.commonEncryptionSchemes
      const print = () =>
        Object.values(signalElements(system, inputWith({ commonEncryptionScheme, explicitIv: 'derived' }))).map(
          (template) => fillText(template, testFilling()),
        )
      assert.deepEqual(print(), print())
    })
  })
}

test('the same bytes are encoded once: what carries them shares their holes', () => {
  const object = concat('a', playReadyObjectTemplate(holeOf(12, () => 'Li2mIbro9Kc=')))
  assert.equal(base64Of(object), base64Of(object))
})

test('what holes share is computed once an answer', () => {
  const playready = everySystem.find(({ name }) => name === 'PlayReady') ?? assert.fail()
  const elements = Object.values(signalElements(playready, inputWith()))
  let asked = 0
  const filling = testFilling()
  const counting = {
    memo: filling.memo,
    keyAndIv(kid: Parameters<typeof filling.keyAndIv>[0]) {
      asked++
      return filling.keyAndIv(kid)
    },
  }
  for (const template of elements) fillText(template, counting)
  assert.equal(asked, 1)
})
