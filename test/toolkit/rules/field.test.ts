import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { type LintOptions, lintCpix } from '../../../src/exports/lint.ts'
import { judge } from '../../../src/toolkit/rules/judge.ts'
import { readSide, withSignatures } from '../../../src/toolkit/rules/side.ts'
import { documentToSign, newSigner, signedXml } from '../../formats/cpix/signing.ts'

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

const KID = '5b0e3a7c-91d4-4c52-8f6a-0c1d2e3f4a51'
const WIDEVINE_MESSAGE = 'CAESEFsOOnyR1ExSj2oMHS4/SlFI49yVmwY='
const RAW_KID_BOX = 'AAAAMHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAABBbDjp8kdRMUo9qDB0uP0pR'
const BOX_IN_BOX =
  'AAAAWHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAADgAAAA4cHNzaAAAAADt74upedZKzqPIJ9zVHSHtAAAAGBIQWw46fJHUTFKPagwdLj9KUUjj3JWbBg=='
const TWO_BOXES =
  'AAAAOHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAABgSEFsOOnyR1ExSj2oMHS4/SlFI49yVmwYAAAA4cHNzaAAAAADt74upedZKzqPIJ9zVHSHtAAAAGBIQwvfR6DpGS52lwH6PkKGyw0jj3JWbBg=='
const WIDEVINE = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'
const PLAYREADY = '9a04f079-9840-4286-ab92-e65be0885f95'

/** An answer with one element of signalling. */
function answerWith(systemId: string, local: string, base64: string, scheme = 'cenc'): Buffer {
  return Buffer.from(
    `<CPIX xmlns="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" contentId="a" version="2.3">
<ContentKeyList><ContentKey kid="${KID}" commonEncryptionScheme="${scheme}"><Data><pskc:Secret><pskc:PlainValue>7sigIvU2BT2kwdkspVcNrQ==</pskc:PlainValue></pskc:Secret></Data></ContentKey></ContentKeyList>
<DRMSystemList><DRMSystem kid="${KID}" systemId="${systemId}"><${local}>${base64}</${local}></DRMSystem></DRMSystemList></CPIX>`,
  )
}

/** A PlayReady Object with a header, in UTF-16LE. */
function objectOf(header: string): Buffer {
  const value = Buffer.from(header, 'utf16le')
  const start = Buffer.alloc(10)
  start.writeUInt32LE(value.length + 10, 0)
  start.writeUInt16LE(1, 4)
  start.writeUInt16LE(1, 6)
  start.writeUInt16LE(value.length, 8)
  return Buffer.concat([start, value])
}

const messages = (answer: Buffer): readonly string[] => lintCpix({ answer }).map(({ rule, what }) => `${rule}: ${what}`)

describe('payloads without their box, or in another one', () => {
  const object = objectOf(
    '<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" version="4.0.0.0"><DATA><PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO><KID>fDoOW9SRUkyPagwdLj9KUQ==</KID></DATA></WRMHEADER>',
  ).toString('base64')
  for (const [what, systemId, local, base64, expected] of [
    [
      'a Widevine message in PSSH',
      WIDEVINE,
      'PSSH',
      WIDEVINE_MESSAGE,
      /^pssh-malformed: .*holds a WidevinePsshData without its pssh box/,
    ],
    [
      'a PlayReady Object in PSSH',
      PLAYREADY,
      'PSSH',
      object,
      /^pssh-malformed: .*holds a PlayReady Object without its pssh box/,
    ],
    [
      'a box in the data of a box',
      WIDEVINE,
      'PSSH',
      BOX_IN_BOX,
      /^widevine-data-malformed: .*holds a whole pssh box where its data belongs/,
    ],
    ['a kid as data of a box', WIDEVINE, 'PSSH', RAW_KID_BOX, /^widevine-data-malformed: .*holds only a KID/],
    [
      'a PlayReady Object in ContentProtectionData',
      PLAYREADY,
      'ContentProtectionData',
      object,
      /^protection-data-malformed: .*holds a PlayReady Object, not XML; write its base64 into <mspr:pro/,
    ],
    [
      'a pssh box in ContentProtectionData',
      WIDEVINE,
      'ContentProtectionData',
      TWO_BOXES,
      /^protection-data-malformed: .*holds a pssh box, not XML/,
    ],
    [
      'two boxes in PSSH',
      WIDEVINE,
      'PSSH',
      TWO_BOXES,
      /^pssh-one-box: the pssh box has 2 boxes \(Widevine, Widevine\), expected one/,
    ],
    [
      'two cenc:pssh elements in ContentProtectionData',
      WIDEVINE,
      'ContentProtectionData',
      Buffer.from(`<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">${RAW_KID_BOX}</cenc:pssh>`.repeat(2)).toString('base64'),
      /^pssh-one-box: ContentProtectionData has 2 cenc:pssh elements, expected one/,
    ],
    [
      'boxes of two systems in PSSH',
      WIDEVINE,
      'PSSH',
      Buffer.concat([
        Buffer.from(TWO_BOXES, 'base64').subarray(0, 56),
        Buffer.from('000000347073736801000000', 'hex'),
        Buffer.from('1077efecc0b24d02ace33c1e52e2fb4b', 'hex'),
        Buffer.from(`00000001${KID.replaceAll('-', '')}00000000`, 'hex'),
      ]).toString('base64'),
      /^pssh-one-box: .*\(Widevine, W3C Common PSSH\)/,
    ],
  ] as const) {
    test(`names ${what}`, () => {
      const found = messages(answerWith(systemId, local, base64))
      assert.ok(
        found.some((one) => expected.test(one)),
        found.join('\n'),
      )
      assert.ok(!found.some((one) => one.startsWith('pssh-system')), found.join('\n'))
    })
  }
})

describe('the grammar of a WRMHEADER', () => {
  const KID_GUID = 'fDoOW9SRUkyPagwdLj9KUQ=='
  const header = (version: string, content: string, attributes = ''): string =>
    `<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" version="${version}"${attributes}>${content}</WRMHEADER>`
  const v40 = `<DATA><PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO><KID>${KID_GUID}</KID></DATA>`
  const kid = `<KID ALGID="AESCTR" VALUE="${KID_GUID}"></KID>`
  for (const [what, xml, rule, text, scheme] of [
    [
      'LA_URL outside DATA',
      header('4.0.0.0', `${v40}<LA_URL>https://a.example/rm.asmx</LA_URL>`),
      'playready-header',
      /LA_URL/,
    ],
    [
      'KIDS in 4.1',
      header('4.1.0.0', `<DATA><PROTECTINFO><KIDS>${kid}</KIDS></PROTECTINFO></DATA>`),
      'playready-header',
      /4\.1\.0\.0 has no KIDS/,
    ],
    [
      'KID without KIDS in 4.2',
      header('4.2.0.0', `<DATA><PROTECTINFO>${kid}</PROTECTINFO></DATA>`),
      'playready-header',
      /KID in KIDS/,
    ],
    ['KIDS outside PROTECTINFO', header('4.3.0.0', `<DATA><KIDS>${kid}</KIDS></DATA>`), 'playready-header', /KIDS/],
    [
      'AESCBC in 4.2',
      header('4.2.0.0', `<DATA><PROTECTINFO><KIDS>${kid.replace('AESCTR', 'AESCBC')}</KIDS></PROTECTINFO></DATA>`),
      'playready-header',
      /AESCBC/,
      'cbcs',
    ],
    [
      'CHECKSUM with AESCBC',
      header(
        '4.3.0.0',
        `<DATA><PROTECTINFO><KIDS>${kid.replace('AESCTR"', 'AESCBC" CHECKSUM="LcQtumWsOR0="')}</KIDS></PROTECTINFO></DATA>`,
      ),
      'playready-header',
      /CHECKSUM/,
      'cbcs',
    ],
    [
      'mixed ALGID',
      header(
        '4.3.0.0',
        `<DATA><PROTECTINFO><KIDS>${kid.replace('AESCTR', 'AESCBC')}<KID ALGID="AESCTR" VALUE="6NH3wkY6nUulwH6PkKGyww=="></KID></KIDS></PROTECTINFO></DATA>`,
      ),
      'playready-header',
      /mixes/,
      'cbcs',
    ],
    [
      'an empty LA_URL',
      header('4.0.0.0', v40.replace('</DATA>', '<LA_URL></LA_URL></DATA>')),
      'playready-header',
      /LA_URL is empty/,
    ],
    [
      'version before xmlns',
      header('4.0.0.0', v40).replace(/( xmlns="[^"]+")( version="[^"]+")/, '$2$1'),
      'playready-header-syntax',
      /xmlns/,
    ],
    [
      'a misspelt root',
      header('4.0.0.0', v40).replaceAll('WRMHEADER', 'WRHEADER'),
      'playready-object-malformed',
      /the root element is WRHEADER, expected WRMHEADER/,
    ],
  ] as const) {
    test(`finds ${what}`, () => {
      const answer = answerWith(
        PLAYREADY,
        'SmoothStreamingProtectionHeaderData',
        objectOf(xml).toString('base64'),
        scheme ?? 'cenc',
      )
      const found = messages(answer)
      assert.ok(
        found.some((one) => one.startsWith(`${rule}: `) && text.test(one)),
        found.join('\n'),
      )
    })
  }

  test('finds nothing in a correct header', () => {
    const found = messages(
      answerWith(PLAYREADY, 'SmoothStreamingProtectionHeaderData', objectOf(header('4.0.0.0', v40)).toString('base64')),
    )
    assert.deepEqual(found, [])
  })
})

test('a PlayReady Object at an odd offset with an odd length is read without damage', () => {
  const answer = readFileSync(new URL('../../vectors/playready-utf16-odd-length.xml', import.meta.url))
  assert.ok(lintCpix({ answer }).some(({ rule }) => rule === 'playready-kid'))
})

describe('XML signatures', () => {
  const signer = newSigner()
  const signed = signedXml(documentToSign([KID]), signer)
  const findings = async (xml: string): Promise<readonly string[]> => {
    const answer = await withSignatures(readSide(Buffer.from(xml)))
    const version = answer.view?.version ?? assert.fail()
    return judge({ as: 'spec', version, answer }).findings.map(({ rule }) => rule)
  }

  test('a valid signature gives no error', async () => {
    assert.ok(!(await findings(signed)).includes('signature-invalid'))
  })

  test('a changed key breaks the signature', async () => {
    const changed = signed.replace(/<pskc:PlainValue>../, '<pskc:PlainValue>AA')
    assert.ok((await findings(changed)).includes('signature-invalid'))
  })

  test('a signature without content is not valid', async () => {
    const empty = signed.replace(/<(?:\w+:)?SignedInfo[\s\S]*<\/(?:\w+:)?SignedInfo>/, '')
    assert.ok((await findings(empty)).includes('signature-invalid'))
  })

  test('an unreadable document stays unreadable', async () => {
    const side = await withSignatures(readSide(Buffer.from('<CPIX')))
    assert.ok(side.problem)
  })
})
