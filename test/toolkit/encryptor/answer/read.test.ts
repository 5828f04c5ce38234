import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { inspect } from 'node:util'
import type { KeyProviderError } from '../../../../src/core/errors.ts'
import { guidBytes, type Kid, kidOfBytes, uuidBytes } from '../../../../src/formats/cenc.ts'
import { readAnswer } from '../../../../src/toolkit/encryptor/answer/read.ts'
import { newRecipient } from '../../../../src/toolkit/encryptor/certificate.ts'
import { replyOf, replyTo, requestOf, type Wish } from '../asking.ts'

const FILM: Wish = { drm: ['widevine', 'playready'], speke: '2.1', periods: { interval: 60 } }
const FAIRPLAY: Wish = { drm: ['fairplay'], scheme: 'cbcs', ivOf: () => Buffer.alloc(16, 7) }
const recipient = newRecipient(Date.UTC(2026, 10, 21), (size) => Buffer.alloc(size, 0x5a))
const ENCRYPTED: Wish = { certificates: [recipient.certificate] }

/** What a change of a true answer comes to. */
async function problemsOf(wish: Wish, change: (xml: string) => string | Uint8Array): Promise<string> {
  const request = requestOf(wish)
  const xml = (await replyTo(request)).body.toString()
  const changed = change(xml)
  assert.notEqual(changed, xml, 'the change changes something')
  try {
    readAnswer(replyOf(changed, request), request, recipient)
  } catch (error) {
    assert.equal((error as KeyProviderError).code, 'ERR_ANSWER_INVALID')
    return (error as KeyProviderError).message
  }
  return 'accepted'
}

const first = (xml: string, pattern: RegExp): string => pattern.exec(xml)?.[1] ?? assert.fail(`no ${pattern}`)
const flip = (base64: string): string => {
  const bytes = Buffer.from(base64, 'base64')
  bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0)
  return bytes.toString('base64')
}
const KEY = /PlainValue>([^<]+)</
const PSSH = /<cpix:PSSH>([^<]+)</
const otherOrder = (xml: string, pattern: RegExp): string => {
  const kid = first(xml, /<cpix:ContentKey kid="([^"]+)"/) as Kid
  const box = Buffer.from(first(xml, pattern), 'base64')
  const at = box.indexOf(uuidBytes(kid))
  assert.notEqual(at, -1)
  guidBytes(kid).copy(box, at)
  return xml.replace(first(xml, pattern), box.toString('base64'))
}

/** What a key provider may get wrong, and what is said of it. */
const WRONG: readonly (readonly [what: string, wish: Wish, change: (xml: string) => string, problem: RegExp])[] = [
  [
    'no key',
    FILM,
    (xml) => xml.replace(/<cpix:Data>.*?<\/cpix:Data>/, ''),
    /ContentKey\[1\]\/Data\/Secret: the key is missing/,
  ],
  [
    'a key of 15 bytes',
    FILM,
    (xml) => xml.replace(KEY, 'PlainValue>AAAAAAAAAAAAAAAAAAAA<'),
    /PlainValue: expected base64 of 16 bytes/,
  ],
  [
    'a missing key',
    FILM,
    (xml) => xml.replace(/<cpix:ContentKey .*?<\/cpix:ContentKey>/, ''),
    /expected 2 ContentKey elements as in the request, got 1/,
  ],
  [
    'one kid twice',
    FILM,
    (xml) => xml.replace(/(<cpix:ContentKey kid=")([^"]+)("[\s\S]*?<cpix:ContentKey kid=")[^"]+/, '$1$2$3$2'),
    /a kid occurs twice/,
  ],
  [
    'another contentId',
    FILM,
    (xml) => xml.replace('contentId="film"', 'contentId="other"'),
    /CPIX\/@contentId: differs from the request/,
  ],
  ['another CPIX version', FILM, (xml) => xml.replace('version="2.4"', 'version="2.3"'), /CPIX\/@version/],
  ['another scheme', FILM, (xml) => xml.replace('"cenc"', '"cbcs"'), /ContentKey\[1\]\/@commonEncryptionScheme/],
  [
    'another IV than asked for',
    FAIRPLAY,
    (xml) => xml.replace('BwcHBwcHBwcHBwcHBwcHBw==', 'CAgICAgICAgICAgICAgICA=='),
    /@explicitIV: differs from the request/,
  ],
  [
    'no IV although asked for',
    FAIRPLAY,
    (xml) => xml.replace(/ explicitIV="[^"]+"/, ''),
    /@explicitIV: differs from the request/,
  ],
  [
    'the key as IV',
    { drm: ['widevine'], scheme: 'cbcs' },
    (xml) => xml.replace(/explicitIV="[^"]+"/, `explicitIV="${first(xml, KEY)}"`),
    /@explicitIV: equals the content key/,
  ],
  [
    'an empty PSSH',
    FILM,
    (xml) => xml.replace(PSSH, '<cpix:PSSH><'),
    /DRMSystem\[1\]\/PSSH: the request asks for this element, and it is empty/,
  ],
  [
    'no PSSH',
    FILM,
    (xml) => xml.replace(/<cpix:PSSH>[^<]+<\/cpix:PSSH>/, ''),
    /DRMSystem\[1\]\/PSSH: the request asks for this element, and it is missing/,
  ],
  ['a PSSH that is not base64', FILM, (xml) => xml.replace(PSSH, '<cpix:PSSH>***<'), /PSSH: expected base64/],
  ['a PSSH cut short', FILM, (xml) => xml.replace(PSSH, '<cpix:PSSH>AAAAOHBzc2gAAAAA<'), /PSSH: pssh: at byte 0/],
  [
    'a Widevine kid in the other byte order',
    FILM,
    (xml) => otherOrder(xml, PSSH),
    /DRMSystem\[1\]\/PSSH: the payload has other kids/,
  ],
  [
    'PSSH and ContentProtectionData that differ',
    FILM,
    (xml) =>
      xml.replace(
        /<cpix:ContentProtectionData>([^<]+)/,
        `<cpix:ContentProtectionData>${Buffer.from('<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">AAAA</cenc:pssh>').toString('base64')}`,
      ),
    /cenc:pssh differs from PSSH/,
  ],
  [
    'an unbound prefix in ContentProtectionData',
    FILM,
    (xml) =>
      xml.replace(
        /<cpix:ContentProtectionData>([^<]+)/,
        `<cpix:ContentProtectionData>${Buffer.from('<cenc:pssh>AAAA</cenc:pssh>').toString('base64')}`,
      ),
    /ContentProtectionData: .*prefix/,
  ],
  [
    'a ContentProtection element in ContentProtectionData',
    FILM,
    (xml) =>
      xml.replace(
        /<cpix:ContentProtectionData>([^<]+)/,
        `<cpix:ContentProtectionData>${Buffer.from('<ContentProtection schemeIdUri="urn:uuid:a"/>').toString('base64')}`,
      ),
    /ContentProtectionData: .*ContentProtection element, expected only its children/,
  ],
  [
    'a PlayReady Object in ContentProtectionData',
    { ...FILM, drm: ['playready'] },
    (xml) =>
      xml.replace(
        /<cpix:ContentProtectionData>[^<]+/,
        `<cpix:ContentProtectionData>${first(xml, /<cpix:SmoothStreamingProtectionHeaderData>([^<]+)/)}`,
      ),
    /ContentProtectionData: .*holds a PlayReady Object, expected XML/,
  ],
  [
    'a PlayReady Object in PSSH',
    { ...FILM, drm: ['playready'] },
    (xml) =>
      xml.replace(/<cpix:PSSH>[^<]+/, `<cpix:PSSH>${first(xml, /<cpix:SmoothStreamingProtectionHeaderData>([^<]+)/)}`),
    /PSSH: .*holds a PlayReady Object without its pssh box/,
  ],
  [
    'a Widevine message in PSSH',
    { ...FILM, drm: ['widevine'] },
    (xml) => xml.replace(/<cpix:PSSH>[^<]+/, '<cpix:PSSH>CAESEFsOOnyR1ExSj2oMHS4/SlFI49yVmwY='),
    /PSSH: .*holds a WidevinePsshData without its pssh box/,
  ],
  [
    'Secret and PlainValue in the namespace of CPIX',
    {},
    (xml) => xml.replaceAll('pskc:', 'cpix:').replace('xmlns:cpix="urn:ietf', 'xmlns:pskc="urn:ietf'),
    /Data\/Secret: cpix:Secret has the namespace urn:dashif:org:cpix, expected urn:ietf:params:xml:ns:keyprov:pskc/,
  ],
  [
    'an HLS line whose METHOD is not first',
    FILM,
    (xml) =>
      xml.replace(
        /(playlist="media">)[^<]+/,
        `$1${Buffer.from('#EXT-X-KEY:URI="a",METHOD=SAMPLE-AES').toString('base64')}`,
      ),
    /starts with #EXT-X-KEY:METHOD=/,
  ],
  [
    'a DRM system left out',
    FILM,
    (xml) => xml.replace(/<cpix:DRMSystem [\s\S]*?<\/cpix:DRMSystem>/, ''),
    /DRMSystemList: widevine is missing for the kid/,
  ],
  [
    'a period whose start was changed',
    FILM,
    (xml) => xml.replace('12:00:00Z', '12:00:01Z'),
    /ContentKeyPeriod: expected index, start, end as in the request/,
  ],
  [
    'a period left out',
    FILM,
    (xml) => xml.replace(/<cpix:ContentKeyPeriod [^>]+>/, ''),
    /the key period with number 0 is missing/,
  ],
  [
    'another track type',
    FILM,
    (xml) => xml.replace('intendedTrackType="VIDEO"', 'intendedTrackType="SD"'),
    /no rule assigns the kid \S+ to VIDEO/,
  ],
  [
    'a rule that kept the old kid',
    FILM,
    (xml) => {
      const kid = first(xml, /<cpix:ContentKey kid="([^"]+)"/)
      return xml.replaceAll(
        new RegExp(`(ContentKey|DRMSystem) kid="${kid}"`, 'g'),
        `$1 kid="${kidOfBytes(Buffer.alloc(16, 9))}"`,
      )
    },
    /no rule assigns the kid/,
  ],
  [
    'a key in the clear although a recipient was named',
    ENCRYPTED,
    (xml) =>
      xml.replace(
        /<pskc:EncryptedValue>(?![\s\S]*<cpix:ContentKeyList>)[\s\S]*?<\/pskc:ValueMAC>/,
        '<pskc:PlainValue>AAAAAAAAAAAAAAAAAAAAAA==</pskc:PlainValue>',
      ),
    /in the clear although the request asks for encryption/,
  ],
  [
    'an encrypted key although no recipient was named',
    {},
    (xml) => xml.replace(/<pskc:PlainValue>[^<]+<\/pskc:PlainValue>/, '<pskc:EncryptedValue/>'),
    /encrypted although the request names no recipient/,
  ],
  [
    'another certificate',
    ENCRYPTED,
    (xml) => xml.replace(/X509Certificate>[^<]+/, 'X509Certificate>AAAA'),
    /no DeliveryData has the certificate/,
  ],
  [
    'no MAC key',
    ENCRYPTED,
    (xml) => xml.replace(/<cpix:MACMethod[\s\S]*?<\/cpix:MACMethod>/, ''),
    /expected one MACMethod, got 0/,
  ],
  [
    'a document key that does not open',
    ENCRYPTED,
    (xml) => xml.replace(/CipherValue>([^<]+)/, (_, value) => `CipherValue>${flip(value)}`),
    /private key does not decrypt/,
  ],
  [
    'another algorithm',
    ENCRYPTED,
    (xml) => xml.replace('rsa-oaep-mgf1p', 'rsa-1_5'),
    /EncryptionMethod\/@Algorithm: expected \S+rsa-oaep-mgf1p/,
  ],
  ['text that is not XML', {}, () => 'no', /XML/i],
  ['another root', {}, () => '<a/>', /the root element must be CPIX/],
]

for (const [what, wish, change, problem] of WRONG) {
  test(`rejects ${what}`, async () => {
    assert.match(await problemsOf(wish, change), problem)
  })
}

test('finds every wrong MAC', async () => {
  const request = requestOf(ENCRYPTED)
  const xml = (await replyTo(request)).body.toString()
  const macs = [...xml.matchAll(/ValueMAC>([^<]+)</g)].map(([, mac = '']) => mac)
  assert.equal(macs.length, 4, 'document key, MAC key and two content keys')
  for (const [i, mac] of macs.entries()) {
    const changed = replyOf(xml.replace(mac, flip(mac)), request)
    assert.throws(
      () => readAnswer(changed, request, recipient),
      { code: 'ERR_ANSWER_INVALID', message: /ValueMAC/ },
      `MAC ${i}`,
    )
  }
  for (const mac of macs.slice(2)) {
    const without = replyOf(xml.replace(`<pskc:ValueMAC>${mac}</pskc:ValueMAC>`, ''), request)
    assert.throws(() => readAnswer(without, request, recipient), { message: /ValueMAC is missing/ })
  }
})

test('the keys encrypted for a new recipient equal those in the clear', async () => {
  const [clear, encrypted] = await Promise.all(
    [{}, ENCRYPTED].map(async (wish) => {
      const request = requestOf(wish)
      return readAnswer(await replyTo(request), request, recipient)
    }),
  )
  assert.doesNotMatch(encrypted?.document ?? '', /PlainValue/)
  assert.deepEqual(
    encrypted?.keys.map(({ contentKey }) => contentKey?.reveal().toString()),
    clear?.keys.map(({ contentKey }) => contentKey?.reveal().toString()),
  )
})

test('reads the MAC key in each of its three forms', async () => {
  const request = requestOf(ENCRYPTED)
  const xml = (await replyTo(request)).body.toString()
  const start = xml.indexOf('<cpix:MACMethod')
  const method = xml.slice(start, xml.indexOf('</cpix:MACMethod>'))
  const shapes = [
    method.replace(
      /<cpix:Key><pskc:EncryptedValue>([\s\S]*)<\/pskc:EncryptedValue><pskc:ValueMAC>[^<]+<\/pskc:ValueMAC><\/cpix:Key>/,
      '<cpix:Key>$1</cpix:Key>',
    ),
    method.replace(
      /<cpix:Key><pskc:EncryptedValue>([\s\S]*)<\/pskc:EncryptedValue><pskc:ValueMAC>[^<]+<\/pskc:ValueMAC><\/cpix:Key>/,
      '<pskc:MACKey>$1</pskc:MACKey>',
    ),
  ]
  for (const shape of shapes) {
    assert.notEqual(shape, method)
    const { keys } = readAnswer(replyOf(xml.replace(method, shape), request), request, recipient)
    assert.ok(keys.every(({ contentKey }) => contentKey !== undefined))
  }
})

test('without a private key, encrypted keys stay undefined', async () => {
  const request = requestOf(ENCRYPTED)
  const { keys } = readAnswer(await replyTo(request), request, undefined)
  assert.ok(keys.every(({ contentKey }) => contentKey === undefined))
})

test('follows a kid override everywhere and reports it', async () => {
  const request = requestOf(FILM)
  const xml = (await replyTo(request)).body.toString()
  const kid = request.keys[0]?.kid ?? assert.fail()
  const other = kidOfBytes(Buffer.alloc(16, 9))
  const moved = xml
    .replaceAll(kid, other)
    .replaceAll(/<cpix:DRMSystem kid="09090909[\s\S]*?<\/cpix:DRMSystem>/g, (system) =>
      system.replaceAll(/>([A-Za-z0-9+/=]{24,})</g, (_, text) => `>${swapped(text, kid, other)}<`),
    )
  const { keys, warnings } = readAnswer(replyOf(moved, request), request, undefined)
  assert.equal(keys[0]?.kid, other)
  assert.equal(keys[0]?.requested.kid, kid)
  assert.deepEqual(warnings, [`CPIX/ContentKeyList/ContentKey[1]/@kid: the key provider replaces the kid ${kid}`])
})

/** A base64 text with every spelling of a kid replaced, in boxes and in base64 inside. */
function swapped(text: string, from: Kid, to: Kid): string {
  const bytes = Buffer.from(text, 'base64')
  const utf16 = (value: string): Buffer => Buffer.from(value, 'utf16le')
  for (const [old, fresh] of [
    [uuidBytes(from), uuidBytes(to)],
    [utf16(guidBytes(from).toString('base64')), utf16(guidBytes(to).toString('base64'))],
  ] as const) {
    for (let at = bytes.indexOf(old); at !== -1; at = bytes.indexOf(old, at + 1)) fresh.copy(bytes, at)
  }
  const inner = bytes.toString('latin1').replaceAll(/[A-Za-z0-9+/]{40,}={0,2}/g, (one) => swapped(one, from, to))
  return Buffer.from(inner, 'latin1').toString('base64')
}

test('rejects every truncation of an answer', async () => {
  const request = requestOf({ drm: ['widevine'], container: 'dash' })
  const { body } = await replyTo(request)
  const end = body.toString().trimEnd().length
  for (let length = 0; length < end; length += 7) {
    assert.throws(() => readAnswer(replyOf(body.subarray(0, length), request), request, undefined), {
      code: 'ERR_ANSWER_INVALID',
    })
  }
})

test('warns about missing headers and the SPEKE 1.0 namespace', async () => {
  const request = requestOf()
  const { body } = await replyTo(request)
  const xml = body.toString().replace('xmlns:pskc', 'xmlns:speke="urn:aws:amazon:com:speke" xmlns:pskc')
  const { warnings } = readAnswer(
    { status: 200, headers: {}, body: Buffer.from(xml), milliseconds: 1 },
    request,
    undefined,
  )
  assert.deepEqual(
    warnings.map((warning) => warning.split(':')[0]),
    ['Content-Type', 'X-Speke-Version', 'X-Speke-User-Agent', 'CPIX'],
  )
})

test('warns about an unrequested IV in counter mode', async () => {
  const request = requestOf()
  const xml = (await replyTo(request)).body
    .toString()
    .replace(' commonEncryptionScheme', ' explicitIV="BwcHBwcHBwcHBwcHBwcHBw==" commonEncryptionScheme')
  assert.match(readAnswer(replyOf(xml, request), request, undefined).warnings.join(), /share a keystream/)
})

test('reports all problems and no key', async () => {
  const request = requestOf(FILM)
  const xml = (await replyTo(request)).body.toString()
  const key = first(xml, KEY)
  const message = await problemsOf(FILM, (text) =>
    text.replaceAll(new RegExp(PSSH, 'g'), `<cpix:PSSH>${key}!<`).replace(KEY, `PlainValue>${key}AAAA<`),
  )
  assert.ok(message.split('\n').length > 1)
  assert.ok(!message.includes(key.slice(0, 20)))
})

test('an answer does not print its keys', async () => {
  const request = requestOf()
  const reply = await replyTo(request)
  const key = Buffer.from(first(reply.body.toString(), KEY), 'base64')
  const { keys } = readAnswer(reply, request, undefined)
  const printed = inspect(keys, { depth: 9 }) + JSON.stringify(keys)
  for (const spelling of [key.toString('hex'), key.toString('base64'), [...key].join(', ')])
    assert.ok(!printed.includes(spelling))
})

test('OpenSSL reads the certificate of a new recipient: RSA-2048, SHA-512, self-signed', async () => {
  const own = new X509Certificate(recipient.certificate)
  assert.ok(own.verify(own.publicKey))
  assert.ok(own.checkPrivateKey(recipient.privateKey))
  assert.equal(own.publicKey.asymmetricKeyDetails?.modulusLength, 2048)
  assert.equal(own.signatureAlgorithm, 'sha512WithRSAEncryption')
  assert.ok(own.checkIssued(own))
  assert.equal(own.subject, 'CN=keyspring request')
  assert.ok(own.validFromDate < new Date('2026-11-21') && new Date('2026-11-21') < own.validToDate)
})
