import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { type LintOptions, lintCpix } from '../../../src/exports/lint.ts'
import { readSide } from '../../../src/toolkit/rules/side.ts'

const vector = (name: string): Buffer => readFileSync(new URL(`../../vectors/lint/${name}`, import.meta.url))

/** The findings for a file as `severity rule`. */
function linted(side: 'request' | 'answer', name: string, options: LintOptions = {}): readonly string[] {
  return lintCpix({ [side]: vector(name) }, options).map(({ severity, rule }) => `${severity} ${rule}`)
}

describe('documents from the field', () => {
  test('a key without a scheme is for any scheme, also beside FairPlay', () => {
    const name = 'cpix-wv-pr-fp-answer-without-scheme.xml'
    assert.deepEqual(linted('answer', name), ['note plain-cpix'])
    assert.ok(linted('answer', name, { spekeVersion: '1.0' }).every((finding) => !/scheme|algid/.test(finding)))
  })

  test('a request with CPIX@contentId and no version is CPIX without SPEKE', () => {
    const name = 'plain-cpix-contentid-no-version.xml'
    assert.deepEqual(linted('request', name), ['note plain-cpix'])
    const [note] = lintCpix({ request: vector(name) })
    assert.match(note?.fix ?? '', /\/copyProtectionData\/\{contentId\}/)
  })

  test('an encryptor that sends SPEKE makes it a request of SPEKE 2', () => {
    const findings = linted('request', 'plain-cpix-contentid-no-version.xml', { as: 'mediaconvert' })
    assert.ok(findings.includes('error cpix-version-unknown'))
  })

  test('a DRMSystem without children gets a warning in SPEKE 1.0', () => {
    assert.deepEqual(linted('request', 'speke1-request-empty-drmsystem.xml'), ['warning drm-system-empty'])
  })

  test('mspr:pro with the kid of another key is found', () => {
    const rules = linted('answer', 'cpix-answer-mspr-pro-names-other-kid.xml')
    assert.deepEqual(rules, ['error playready-kid', 'error playready-objects-differ'])
  })
})

describe('the version of a document', () => {
  const CPIX = 'xmlns="urn:dashif:org:cpix"'
  const SPEKE = 'xmlns:speke="urn:aws:amazon:com:speke"'
  const CONTRACT =
    '<ContentKeyUsageRuleList><ContentKeyUsageRule><VideoFilter/></ContentKeyUsageRule></ContentKeyUsageRuleList>'
  for (const [attributes, content, version] of [
    [`id="a" ${SPEKE}`, '', 'SPEKE 1.0'],
    [`id="a" contentId="a" ${SPEKE}`, '', 'SPEKE 1.0'],
    [SPEKE, '', 'SPEKE 1.0'],
    ['id="a"', '', 'CPIX'],
    ['', '', 'CPIX'],
    ['contentId="a"', '', 'CPIX'],
    [`contentId="a" ${SPEKE}`, '', 'CPIX'],
    ['contentId="a" version="2.1"', '', 'CPIX'],
    ['contentId="a"', CONTRACT, 'SPEKE 2.0'],
    ['contentId="a" version="2.2"', CONTRACT, 'SPEKE 2.0'],
    ['contentId="a" version="2.3"', '', 'SPEKE 2.0'],
    ['contentId="a" version="2.4"', '', 'SPEKE 2.1'],
    ['contentId="a" version="3.0"', '', 'SPEKE 2.0'],
  ] as const) {
    test(`is ${version} with ${attributes || 'no attributes'}${content === '' ? '' : ' and a contract'}`, () => {
      const side = readSide(Buffer.from(`<CPIX ${CPIX} ${attributes}>${content}</CPIX>`))
      const plain = lintCpix({ request: Buffer.from(side.document?.source ?? '') }).some(
        ({ rule }) => rule === 'plain-cpix',
      )
      assert.equal(plain ? 'CPIX' : `SPEKE ${side.view?.version.header}`, version)
    })
  }
})

test('a file that is not CPIX points to keyspring inspect', () => {
  for (const [file, what] of [
    ['AAAAOHBzc2gAAAAA', /^the file is not an XML document\. `keyspring inspect`/],
    ['{"keys":[]}', /^the file is not an XML document\. `keyspring inspect`/],
    ['<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>', /^the root element is MPD, expected CPIX .*`keyspring inspect`/],
    ['<CPIX xmlns="urn:dashif:org:cpix">', /^(?!the file is not)/],
  ] as const) {
    const [finding] = lintCpix({ answer: Buffer.from(file) })
    assert.match(finding?.what ?? '', what)
  }
})
