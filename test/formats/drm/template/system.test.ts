import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { signalElements } from '../../../../src/formats/drm/elements.ts'
import { decodePssh } from '../../../../src/formats/drm/payloads/pssh.ts'
import { type DrmSystemTemplate, drmSystemFromTemplate } from '../../../../src/formats/drm/template/system.ts'
import { decodedElements, filled, hlsAttributesOf, IV, inputWith, KID, type SignalingVectors } from '../signaling.ts'
import { fromBase64, fromHex, vectors } from '../vectors.ts'
import { IRDETO, MARLIN, NAGRA, WISEPLAY } from './examples.ts'

const vector = vectors<SignalingVectors>('signaling.json')
const psshOf = (config: DrmSystemTemplate, changes = {}) =>
  filled(signalElements(drmSystemFromTemplate(config), inputWith(changes)).pssh) ?? ''

describe(`configured systems reproduce published boxes (${vector.origin})`, () => {
  test('Nagra', () => assert.equal(psshOf(NAGRA), vector.nagra_pssh_b64))
  test('WisePlay', () => assert.equal(psshOf(WISEPLAY), vector.wiseplay_pssh_b64))
  test('Marlin', () => {
    assert.equal(psshOf(MARLIN), Buffer.from(vector.marlin_pssh_hex, 'hex').toString('base64'))
    assert.equal(
      decodedElements(drmSystemFromTemplate(MARLIN)).contentProtectionData,
      '<mas:MarlinContentIds xmlns:mas="urn:marlin:mas:1-0:services:schemas:mpd"><mas:MarlinContentId>' +
        'urn:marlin:kid:9eb4050de44b4802932e27d75083e266</mas:MarlinContentId></mas:MarlinContentIds>',
    )
  })
  test('WisePlay names the scheme of the answer', () => {
    const data = decodePssh(fromBase64(psshOf(WISEPLAY, { commonEncryptionScheme: 'cbcs' }))).data
    assert.equal((JSON.parse(Buffer.from(data).toString()) as { enschema: string }).enschema, 'cbcs')
  })
  test('Nagra escapes a contentId for JSON', () => {
    const data = decodePssh(fromBase64(psshOf(NAGRA, { contentId: 'a"b\n' }))).data
    const json = Buffer.from(Buffer.from(data).toString(), 'base64url').toString()
    assert.deepEqual(JSON.parse(json), { contentId: 'a"b\n', keyId: KID })
  })
})

const BASE: DrmSystemTemplate = {
  name: 'Own',
  systemId: '00000000-0000-0000-0000-000000000001',
  commonEncryptionSchemes: ['cenc', 'cbcs'],
}

describe('every part of a configured system', () => {
  const system = drmSystemFromTemplate({
    ...BASE,
    contentKeyClass: 'clear',
    spekeMajors: [2],
    psshData: { encoding: 'utf8', syntax: 'xml', template: '<a id="{contentId}">{iv}{ivHex}</a>' },
    contentProtectionData: '<o:k xmlns:o="urn:o" id="{contentId}" u="{keyUrl}">{pssh}</o:k>',
    hlsAttributes: {
      URI: 'own://{contentId}?kid={kidHex}',
      IV: '0x{ivHex}',
      KEYFORMAT: 'urn:own:{contentIdHex}',
      KEYFORMATVERSIONS: '1',
    },
  })
  const elements = decodedElements(system, { contentId: '<"&', explicitIv: 'derived' })
  const iv = Buffer.from(IV)

  test('its class and versions', () => {
    assert.deepEqual([system.contentKeyClass, system.spekeMajors], ['clear', [2]])
  })
  test('its box, values escaped as XML', () => {
    const pssh = filled(signalElements(system, inputWith({ contentId: '<"&', explicitIv: 'derived' })).pssh)
    assert.equal(
      Buffer.from(decodePssh(fromBase64(pssh ?? '')).data).toString(),
      `<a id="&lt;&quot;&amp;">${iv.toString('base64')}${iv.toString('hex')}</a>`,
    )
    assert.ok(elements.contentProtectionData?.includes(`>${pssh}</o:k>`))
  })
  test('its HLS line, METHOD first', () => {
    assert.equal(
      elements.hlsMedia,
      `#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="own://%3C%22%26?kid=${KID.replaceAll('-', '')}",` +
        `IV=0x${iv.toString('hex')},KEYFORMAT="urn:own:3c2226",KEYFORMATVERSIONS="1"`,
    )
  })
  test('a ready-made box is used, one of another system rejected', () => {
    const { pssh: own } = decodedElements(system, { explicitIv: 'derived' })
    assert.ok(own)
    assert.throws(
      () => system.signal(inputWith({ explicitIv: 'derived', pssh: fromHex(vector.marlin_pssh_hex) }), system),
      {
        code: 'ERR_SIGNALING_INVALID',
      },
    )
    const marlin = drmSystemFromTemplate(MARLIN)
    const given = signalElements(marlin, inputWith({ pssh: fromHex(vector.marlin_pssh_hex) })).pssh
    assert.equal(Buffer.from(filled(given) ?? '', 'base64').toString('hex'), vector.marlin_pssh_hex)
  })
  test('rejects a template for an IV that is not returned', () => {
    assert.throws(() => system.signal(inputWith(), system), { code: 'ERR_SIGNALING_INVALID' })
  })
  test('defaults: drm, both versions, nothing signalled', () => {
    const bare = drmSystemFromTemplate(BASE)
    assert.deepEqual([bare.contentKeyClass, bare.spekeMajors], ['drm', [1, 2]])
    assert.deepEqual(signalElements(bare, inputWith()), {})
  })
  test('hex and base64 spell the bytes of a box', () => {
    const hex = drmSystemFromTemplate({ ...BASE, psshData: { encoding: 'hex', template: '00{kidHex}{contentIdHex}' } })
    const base64 = drmSystemFromTemplate({ ...BASE, psshData: { encoding: 'base64', template: 'AAH/' } })
    const dataOf = (system: typeof hex) =>
      Buffer.from(decodePssh(fromBase64(filled(signalElements(system, inputWith({ contentId: 'A' })).pssh) ?? '')).data)
    assert.equal(dataOf(hex).toString('hex'), `00${KID.replaceAll('-', '')}41`)
    assert.equal(dataOf(base64).toString('hex'), '0001ff')
  })
  test('HLS has no METHOD for cens: no line', () => {
    const cens = drmSystemFromTemplate({ ...BASE, commonEncryptionSchemes: ['cens'], hlsAttributes: { URI: 'x' } })
    assert.deepEqual(signalElements(cens, inputWith({ commonEncryptionScheme: 'cens' })), {})
  })
})

describe('a bad template is rejected when it is loaded, with its place', () => {
  for (const [why, config, message] of [
    [
      'an unknown placeholder',
      { contentProtectionData: '<a>{kit}</a>' },
      /DRM system Own: contentProtectionData: \{kit\}/,
    ],
    [
      'a property of every object',
      { contentProtectionData: '<a>{constructor}</a>' },
      /\{constructor\} is not a placeholder/,
    ],
    ['{pssh} without a box', { contentProtectionData: '<a>{pssh}</a>' }, /\{pssh\} is not a placeholder/],
    [
      '{pssh} in the box',
      { psshData: { encoding: 'utf8', template: '{pssh}' } },
      /psshData: \{pssh\} is not a placeholder/,
    ],
    ['a fragment that is no XML', { contentProtectionData: '<a>' }, /contentProtectionData: not well-formed/],
    ['an undeclared prefix', { contentProtectionData: '<a:b/>' }, /not well-formed/],
    ['a fragment that ends its parent', { contentProtectionData: '</fragment><fragment>' }, /not well-formed/],
    ['JSON with a value outside its strings', json('{"id":{contentId}}'), /psshData: not JSON/],
    ['JSON that is none', json('{"id":'), /psshData: not JSON/],
    [
      'XML data that is none',
      { psshData: { encoding: 'utf8', syntax: 'xml', template: '<a' } },
      /psshData: not well-formed/,
    ],
    ['hex that is none', { psshData: { encoding: 'hex', template: '0{kidHex}' } }, /psshData: expected bytes in hex/],
    [
      'text in hex',
      { psshData: { encoding: 'hex', template: '{contentId}' } },
      /\{contentId\} is not a placeholder here/,
    ],
    [
      'an IV in base64url',
      { psshData: { encoding: 'base64url', template: '{iv}' } },
      /\{iv\} is not a placeholder here/,
    ],
    ['base64 that is none', { psshData: { encoding: 'base64', template: 'AAA' } }, /expected bytes in base64/],
    ['a placeholder in base64', { psshData: { encoding: 'base64', template: '{kidBase64}' } }, /it has none$/],
    ['METHOD', { hlsAttributes: { METHOD: 'AES-128' } }, /hlsAttributes: METHOD/],
    ['a lower-case attribute', { hlsAttributes: { uri: 'x' } }, /hlsAttributes: uri/],
    ['a quotation mark in a line', { hlsAttributes: { KEYFORMAT: 'a"b' } }, /KEYFORMAT.*quotation mark/],
    ['an IV that is no hex', { hlsAttributes: { IV: '{iv}' } }, /HLS attribute IV/],
    ['a contentId where it cannot be quoted', { hlsAttributes: { KEYFORMAT: '{contentId}' } }, /\{contentId\}/],
    ['an id that is none', { systemId: 'x' }, /systemId: expected a UUID/],
    ['a box id that is none', { psshSystemId: 'x', ...json('{}') }, /psshSystemId: expected a UUID/],
    ['a box id without a box', { psshSystemId: MARLIN.psshSystemId }, /psshSystemId: expected psshData/],
    ['no scheme', { commonEncryptionSchemes: [] }, /commonEncryptionSchemes/],
  ] as const satisfies readonly (readonly [string, Partial<DrmSystemTemplate>, RegExp])[]) {
    test(why, () => {
      assert.throws(() => drmSystemFromTemplate({ ...BASE, ...config }), { code: 'ERR_CONFIG_INVALID', message })
    })
  }
})

function json(template: string): Pick<DrmSystemTemplate, 'psshData'> {
  return { psshData: { encoding: 'utf8', syntax: 'json', template } }
}

test('a line of a configured system is an attribute list', () => {
  const system = drmSystemFromTemplate({ ...BASE, hlsAttributes: { URI: 'a,b=c', KEYFORMAT: 'd' } })
  assert.deepEqual(hlsAttributesOf(decodedElements(system).hlsMedia ?? ''), {
    METHOD: 'SAMPLE-AES-CTR',
    URI: '"a,b=c"',
    KEYFORMAT: '"d"',
  })
})

test('Irdeto: XML behind the head of its boxes, as published boxes have it', () => {
  // https://github.com/emarsden/pssh-box-rs, tests/parsing.rs: version 1, size of the rest, one record and its size.
  const published = Buffer.from('AQAAAU0AAQFJPENDQVJNSEVBREVSIHZlcnNpb249IjEuMCI+', 'base64')
  const { pssh } = signalElements(drmSystemFromTemplate(IRDETO), inputWith())
  const { data } = decodePssh(fromBase64(filled(pssh) ?? ''))
  const view = Buffer.from(data)
  assert.deepEqual(view.subarray(0, 1), published.subarray(0, 1))
  assert.equal(published.readUInt32BE(1) - published.readUInt16BE(7), view.readUInt32BE(1) - view.readUInt16BE(7))
  assert.equal(view.readUInt32BE(1), view.length - 5)
  assert.equal(view.readUInt16BE(5), published.readUInt16BE(5))
  assert.equal(view.readUInt16BE(7), view.length - 9)
  const xml = view.subarray(9).toString()
  assert.ok(xml.startsWith(published.subarray(9).toString()))
  assert.ok(xml.includes(`<KID value="${Buffer.from(KID).toString('base64')}"/>`))
})

test('WisePlay: HLS lines with the box', () => {
  const { hlsMedia = '' } = decodedElements(drmSystemFromTemplate(WISEPLAY), { commonEncryptionScheme: 'cbcs' })
  const { METHOD, URI, KEYFORMAT, KEYFORMATVERSIONS } = hlsAttributesOf(hlsMedia)
  assert.deepEqual([METHOD, KEYFORMAT, KEYFORMATVERSIONS], ['SAMPLE-AES', `"urn:uuid:${WISEPLAY.systemId}"`, '"1"'])
  assert.equal(
    decodePssh(fromBase64((URI ?? '').replaceAll(/^"data:text\/plain;base64,|"$/g, ''))).systemId,
    WISEPLAY.systemId,
  )
})
