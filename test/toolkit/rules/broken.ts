import { constants, createCipheriv, createHash, createHmac, publicEncrypt, X509Certificate } from 'node:crypto'
import { encodePssh } from '../../../src/formats/drm/payloads/pssh.ts'
import { decodeWidevinePsshData, encodeWidevinePsshData } from '../../../src/formats/drm/payloads/widevine-pssh-data.ts'
import { attributeOf } from '../../../src/formats/xml/reader.ts'
import type { EncryptorName } from '../../../src/protocols/speke/tables/presets.ts'
import type { Wish } from '../encryptor/asking.ts'
import {
  changeAttribute,
  changeBoxes,
  changeBytes,
  changeElements,
  changeHeaders,
  changeLines,
  changeText,
  guid,
  removeElements,
  uuid,
} from './editing.ts'

const WIDEVINE = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'
const PLAYREADY = '9a04f079-9840-4286-ab92-e65be0885f95'
const FAIRPLAY = '94ce86fb-07ff-4f43-adb8-93d2fa968ca2'
const COMMON = '1077efec-c0b2-4d02-ace3-3c1e52e2fb4b'
const SPEKE = 'urn:aws:amazon:com:speke'

/** An answer of Keyspring with a fault, and the rule that must find it. */
export interface BrokenAnswer {
  readonly rule: string
  readonly how: string
  /** The request. Default: three keys with Widevine and PlayReady, cenc. */
  readonly wish?: Wish
  readonly break: (answer: string, request: string) => string
  /** The encryptor whose rule it breaks. */
  readonly as?: EncryptorName
  /** The checks that find it, as a pattern of names. */
  readonly only?: string
}

const CBCS: Wish = { video: 'VIDEO-2', audio: 'AUDIO-1', drm: ['widevine', 'playready', 'fairplay'], scheme: 'cbcs' }
const V1: Wish = { speke: '1.0', drm: ['widevine', 'playready', 'fairplay', 'aes-128'], video: 'SHARED' }
const V21: Wish = { ...CBCS, speke: '2.1' }
const LIVE: Wish = { ...CBCS, periods: { interval: 60 } }
const AES_128: Wish = { drm: ['aes-128'], scheme: 'cbc1' }
export const ENCRYPTED: Wish = { certificates: [] }

const keysOf = (text: string): string[] => [...text.matchAll(/PlainValue>([^<]+)</g)].map(([, key = '']) => key)

/** Faulty answers for every rule about answers. */
export const BROKEN_ANSWERS: readonly BrokenAnswer[] = [
  { rule: 'unreadable', how: 'cut short', break: (text) => text.slice(0, -20) },
  { rule: 'unreadable', how: 'another root', break: (text) => text.replaceAll('cpix:CPIX', 'cpix:Cpix') },
  {
    rule: 'content-id-changed',
    how: 'another contentId',
    break: (text) => changeAttribute(text, 'CPIX', 'contentId', (id) => id && `${id}-1`),
  },
  {
    rule: 'cpix-version-changed',
    how: 'always 2.4',
    break: (text) => changeAttribute(text, 'CPIX', 'version', (version) => version && '2.4'),
  },
  {
    rule: 'v1-leftovers',
    how: 'declares the namespace of SPEKE 1.0',
    break: (text) => changeAttribute(text, 'CPIX', 'xmlns:speke', () => SPEKE),
  },
  {
    rule: 'v1-leftovers',
    how: 'adds URIExtXKey to FairPlay',
    wish: CBCS,
    only: 'systems/2.0/*fairplay*',
    break: (text) =>
      text.replace('</cpix:DRMSystem>', '<cpix:URIExtXKey>c2tkOi8vYQ==</cpix:URIExtXKey></cpix:DRMSystem>'),
  },
  { rule: 'cpix-id-in-v2', how: 'CPIX@id', break: (text) => changeAttribute(text, 'CPIX', 'id', () => 'film') },
  {
    rule: 'signature',
    how: 'a signature',
    break: (text) =>
      text.replace('</cpix:CPIX>', '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></cpix:CPIX>'),
  },

  {
    rule: 'element-dropped',
    how: 'without the last DRMSystem',
    break: (text) =>
      text.replace(/<cpix:DRMSystem (?:(?!<cpix:DRMSystem ).)*?<\/cpix:DRMSystem>\s*(?=<\/cpix:DRMSystemList>)/s, ''),
  },
  { rule: 'element-dropped', how: 'without PSSH', break: (text) => removeElements(text, 'PSSH') },
  {
    rule: 'element-added',
    how: 'a DRM system that was not asked for',
    break: (text) =>
      text.replace(
        '</cpix:DRMSystemList>',
        `<cpix:DRMSystem kid="${/kid="([^"]+)"/.exec(text)?.[1]}" systemId="${COMMON}"/></cpix:DRMSystemList>`,
      ),
  },
  {
    rule: 'attribute-changed',
    how: 'playlist in upper case',
    break: (text) => changeAttribute(text, 'HLSSignalingData', 'playlist', (value) => value?.replace('media', 'Media')),
  },
  {
    rule: 'order-changed',
    how: 'keys sorted by kid, backwards',
    wish: CBCS,
    only: 'v2.0-live/video-5*',
    break: (text) => {
      const list = /(<cpix:ContentKeyList>)(.*)(<\/cpix:ContentKeyList>)/s.exec(text)
      const keys = list?.[2]?.match(/<cpix:ContentKey .*?<\/cpix:ContentKey>/gs) ?? []
      return text.replace(list?.[2] ?? '', keys.toReversed().join(''))
    },
  },
  {
    rule: 'period-notation',
    how: 'times in another notation',
    wish: { ...V21, periods: { interval: 60 } },
    only: 'v2.1/periods',
    break: (text) => changeAttribute(text, 'ContentKeyPeriod', 'start', (value) => value?.replace('Z', '.000Z')),
  },
  {
    rule: 'period-moved',
    how: 'a start that is one hour later',
    wish: { ...V21, periods: { interval: 60 } },
    only: 'v2.1/periods',
    break: (text) =>
      changeAttribute(text, 'ContentKeyPeriod', 'start', (value) => value?.replace(/(Z|[+-]\d\d:\d\d)$/, '-01:00')),
  },
  {
    rule: 'period-changed',
    how: 'without index',
    wish: LIVE,
    only: 'v2.0-live/periods',
    break: (text) => changeAttribute(text, 'ContentKeyPeriod', 'index', () => undefined),
  },
  {
    rule: 'contract-changed',
    how: 'filters without attributes',
    wish: CBCS,
    break: (text) => text.replaceAll(/ (min|max)Pixels="\d+"/g, ''),
    only: 'v2.0-live/video-2*',
  },
  {
    rule: 'recipient-changed',
    how: 'another certificate',
    wish: ENCRYPTED,
    only: 'encryption/2.0',
    break: (text) => changeText(text, 'X509Certificate', (value) => `${value.slice(0, -4)}AAAA`),
  },
  {
    rule: 'kid-spelling',
    how: 'kids in upper case',
    break: (text) =>
      text
        .replaceAll(/kid="([^"]+)"/g, 'kid="$1"')
        .replace(/kid="([^"]+)"/g, (_, kid: string) => `kid="${kid.toUpperCase()}"`),
  },
  {
    rule: 'kid-inconsistent',
    how: 'another kid in a rule',
    break: (text) => changeAttribute(text, 'ContentKeyUsageRule', 'kid', () => '00000000-0000-4000-8000-000000000001'),
  },
  {
    rule: 'kid-replaced',
    how: 'another kid everywhere',
    break: (text) => {
      const kid = /ContentKey kid="([^"]+)"/.exec(text)?.[1] ?? ''
      return text.replaceAll(kid, `${kid.slice(0, -1)}${kid.endsWith('0') ? '1' : '0'}`)
    },
  },

  { rule: 'key-missing', how: 'no Data', break: (text) => removeElements(text, 'Data') },
  {
    rule: 'key-size',
    how: 'hex in base64',
    break: (text) =>
      changeText(text, 'PlainValue', (key) =>
        Buffer.from(Buffer.from(key, 'base64').toString('hex')).toString('base64'),
      ),
  },
  {
    rule: 'key-shared',
    how: 'one key for a content',
    wish: CBCS,
    only: 'v2.0-live/video-2*',
    break: (text) => changeText(text, 'PlainValue', () => keysOf(text)[0]),
  },
  {
    rule: 'key-guessable',
    how: 'zeros',
    break: (text) => changeText(text, 'PlainValue', () => Buffer.alloc(16).toString('base64')),
  },
  {
    rule: 'key-guessable',
    how: 'the kid',
    break: (text) => {
      const kids = [...text.matchAll(/ContentKey kid="([^"]+)"/g)].map(([, kid = '']) => kid.replaceAll('-', ''))
      return changeText(text, 'PlainValue', () => Buffer.from(kids.shift() ?? '', 'hex').toString('base64'))
    },
  },
  {
    rule: 'key-in-signaling',
    how: 'the key in the Widevine contentId',
    only: 'systems/2.0/*widevine*',
    break: (text) =>
      changeBoxes(text, WIDEVINE, (box) => {
        const contentId = Buffer.from(keysOf(text)[0] ?? '', 'base64')
        return encodePssh({ ...box, data: encodeWidevinePsshData({ ...decodeWidevinePsshData(box.data), contentId }) })
      }),
  },
  {
    rule: 'key-in-signaling',
    how: 'the key in hex in a PlayReady header',
    only: 'systems/2.0/*playready*',
    break: (text) => {
      const hex = Buffer.from(keysOf(text)[0] ?? '', 'base64').toString('hex')
      return changeHeaders(text, (header) => header.replace('</DATA>', `<LUI_URL>${hex}</LUI_URL></DATA>`))
    },
  },
  {
    rule: 'iv-equals-key',
    how: 'the key as IV',
    only: 'systems/2.0/*cbcs*',
    wish: CBCS,
    break: (text) => {
      const keys = keysOf(text)
      return changeAttribute(text, 'ContentKey', 'explicitIV', () => keys.shift())
    },
  },
  {
    rule: 'iv-size',
    how: 'IV in hex',
    wish: CBCS,
    only: 'systems/2.0/*cbcs*',
    break: (text) =>
      changeAttribute(text, 'ContentKey', 'explicitIV', (iv) => iv && Buffer.from(iv, 'base64').toString('hex')),
  },
  {
    rule: 'iv-not-echoed',
    how: 'its own IV always',
    wish: { ...CBCS, ivOf: () => Buffer.from('00112233445566778899aabbccddeeff', 'hex') },
    only: 'iv',
    break: (text) => changeAttribute(text, 'ContentKey', 'explicitIV', () => 'AAECAwQFBgcICQoLDA0ODw=='),
  },
  {
    rule: 'iv-unasked-in-counter-mode',
    how: 'an IV for cenc',
    only: 'iv',
    break: (text) => changeAttribute(text, 'ContentKey', 'explicitIV', (iv) => iv ?? 'AAECAwQFBgcICQoLDA0ODw=='),
  },
  {
    rule: 'iv-missing-for-fairplay',
    how: 'no IV for FairPlay',
    wish: CBCS,
    only: 'systems/2.0/*fairplay*',
    break: (text) => changeAttribute(text, 'ContentKey', 'explicitIV', () => undefined),
  },
  {
    rule: 'iv-expected-by-mediapackage',
    how: 'no IV',
    as: 'mediapackage-v2',
    only: 'mediapackage-v2/2.0/iv-cenc',
    break: (text) =>
      changeAttribute(
        changeAttribute(text, 'ContentKey', 'explicitIV', () => 'x'),
        'ContentKey',
        'explicitIV',
        () => undefined,
      ),
  },
  {
    rule: 'scheme-changed',
    how: 'always cbcs',
    break: (text) => changeAttribute(text, 'ContentKey', 'commonEncryptionScheme', () => 'cbcs'),
  },

  {
    rule: 'plain-key-although-encrypted',
    how: 'keys in the clear',
    wish: ENCRYPTED,
    only: 'encryption/2.0',
    break: (text) =>
      changeElements(text, 'Secret', (element) => ({
        start: element.contentStart,
        end: element.contentEnd,
        text: `<pskc:PlainValue>${Buffer.alloc(16, 7).toString('base64')}</pskc:PlainValue>`,
      })),
  },
  {
    rule: 'encrypted-key-unasked',
    how: 'keys encrypted always',
    break: (text) => text.replaceAll(/<pskc:PlainValue>[^<]+<\/pskc:PlainValue>/g, '<pskc:EncryptedValue/>'),
  },
  {
    rule: 'document-key-missing',
    how: 'no MACMethod',
    wish: ENCRYPTED,
    only: 'encryption/2.0',
    break: (text) => removeElements(text, 'MACMethod'),
  },
  {
    rule: 'encryption-algorithm',
    how: 'says AES-128-CBC',
    wish: ENCRYPTED,
    only: 'encryption/2.0',
    break: (text) => text.replaceAll('xmlenc#aes256-cbc"/>', 'xmlenc#aes128-cbc"/>'),
  },
  {
    rule: 'document-key-unreadable',
    how: 'a document key for somebody else',
    wish: ENCRYPTED,
    only: 'encryption/2.0',
    break: (text) => {
      let i = 0
      return changeText(text, 'CipherValue', (value) => (i++ === 0 ? Buffer.alloc(256, 3).toString('base64') : value))
    },
  },
  {
    rule: 'encrypted-key-size',
    how: 'no padding',
    wish: ENCRYPTED,
    only: 'encryption/2.0',
    break: (text) =>
      changeText(text, 'CipherValue', (value) => {
        const bytes = Buffer.from(value, 'base64')
        return bytes.length === 48 ? bytes.subarray(0, 32).toString('base64') : value
      }),
  },
  {
    rule: 'value-mac-missing',
    how: 'no MAC',
    wish: ENCRYPTED,
    only: 'encryption/2.0',
    break: (text) => removeElements(text, 'ValueMAC'),
  },
  {
    rule: 'value-mac-wrong',
    how: 'HMAC-SHA256',
    wish: ENCRYPTED,
    only: 'encryption/2.0',
    break: (text) =>
      changeText(text, 'ValueMAC', (value) => Buffer.from(value, 'base64').subarray(0, 32).toString('base64')),
  },
  {
    rule: 'value-mac-wrong',
    how: 'the MAC of something else',
    wish: ENCRYPTED,
    only: 'encryption/2.0',
    break: (text) => changeText(text, 'ValueMAC', () => Buffer.alloc(64, 1).toString('base64')),
  },

  {
    rule: 'encrypted-key-unreadable',
    how: 'the key padded with zeros',
    wish: ENCRYPTED,
    only: 'encryption/2.0',
    break: unpadded,
  },
  { rule: 'signaling-empty', how: 'PSSH empty', break: (text) => changeText(text, 'PSSH', () => '') },
  {
    rule: 'signaling-not-base64',
    how: 'HLS lines as they are',
    break: (text) => changeText(text, 'HLSSignalingData', (value) => Buffer.from(value, 'base64').toString()),
  },
  {
    rule: 'drm-system-twice',
    how: 'every DRMSystem twice',
    break: (text) =>
      changeElements(text, 'DRMSystemList', (element, { source }) => ({
        start: element.contentEnd,
        end: element.contentEnd,
        text: source.slice(element.contentStart, element.contentEnd),
      })),
  },
  {
    rule: 'signaling-same-for-kids',
    how: 'the first box for every kid',
    wish: CBCS,
    only: 'v2.0-live/video-2*',
    break: (text) => {
      const boxes = new Map<string, Buffer>()
      return changeBytes(text, 'PSSH', undefined, (bytes, _, element) => {
        const system = (element.parent && attributeOf(element.parent, 'systemId')) ?? ''
        const first = boxes.get(system) ?? bytes
        boxes.set(system, first)
        return first
      })
    },
  },

  {
    rule: 'hls-tag',
    how: 'EXT-X-KEY for master',
    break: (text) => changeLines(text, undefined, (line) => line.replace('SESSION-', '')),
  },
  {
    rule: 'hls-one-line',
    how: 'a newline at the end',
    break: (text) => changeLines(text, undefined, (line) => `${line}\n`),
  },
  {
    rule: 'hls-one-line',
    how: 'a byte order mark',
    break: (text) => changeLines(text, undefined, (line) => `\ufeff${line}`),
  },
  {
    rule: 'hls-attribute-list',
    how: 'a space behind commas',
    break: (text) => changeLines(text, undefined, (line) => line.replaceAll(',KEY', ', KEY')),
  },
  {
    rule: 'hls-attribute-list',
    how: 'URI without quotes',
    break: (text) => changeLines(text, undefined, (line) => line.replace(/KEYFORMAT="([^"]+)"/, 'KEYFORMAT=$1')),
  },
  {
    rule: 'hls-method-first',
    how: 'METHOD last',
    break: (text) => changeLines(text, undefined, (line) => line.replace(/:METHOD=([\w-]+),(.*)$/, ':$2,METHOD=$1')),
  },
  {
    rule: 'hls-attribute-order',
    how: 'URI last',
    break: (text) => changeLines(text, WIDEVINE, (line) => line.replace(/(URI="[^"]+"),(.*)$/, '$2,$1')),
  },
  {
    rule: 'hls-lines-differ',
    how: 'another KEYFORMATVERSIONS for master',
    break: (text) =>
      changeLines(text, undefined, (line, _, playlist) =>
        playlist === 'master' ? line.replace(',KEYFORMATVERSIONS="1"', '') : line,
      ),
  },
  {
    rule: 'hls-scheme-attribute',
    how: 'SCHEME',
    break: (text) => changeLines(text, undefined, (line) => `${line},SCHEME="cenc"`),
  },
  {
    rule: 'hls-method',
    how: 'METHOD=NONE',
    break: (text) => changeLines(text, undefined, (line) => line.replace(/METHOD=[\w-]+/, 'METHOD=NONE')),
  },
  {
    rule: 'hls-method',
    how: 'SAMPLE-AES-CTR for cbcs',
    wish: CBCS,
    only: 'systems/2.0/*cbcs*',
    break: (text) => changeLines(text, undefined, (line) => line.replace('SAMPLE-AES,', 'SAMPLE-AES-CTR,')),
  },
  {
    rule: 'hls-key-format',
    how: 'identity for all',
    break: (text) => changeLines(text, undefined, (line) => line.replace(/KEYFORMAT="[^"]+"/, 'KEYFORMAT="identity"')),
  },
  {
    rule: 'hls-keyid',
    how: 'KEYID as a GUID',
    break: (text) => changeLines(text, WIDEVINE, (line, kid) => `${line},KEYID=0x${guid(kid).toString('hex')}`),
  },
  {
    rule: 'hls-uri-payload',
    how: 'a licence URL',
    break: (text) =>
      changeLines(text, WIDEVINE, (line) => line.replace(/URI="[^"]+"/, 'URI="https://license.example.com/"')),
  },
  {
    rule: 'hls-uri-payload',
    how: 'the box instead of the object',
    break: (text) => {
      const boxes: string[] = []
      changeBytes(text, 'PSSH', PLAYREADY, (bytes) => {
        boxes.push(bytes.toString('base64'))
        return bytes
      })
      return changeLines(text, PLAYREADY, (line) => line.replace(/base64,[^"]+"/, `base64,${boxes[0]}"`))
    },
  },

  {
    rule: 'pssh-malformed',
    how: 'the payload without its box',
    break: (text) => changeBytes(text, 'PSSH', WIDEVINE, (bytes) => bytes.subarray(32)),
  },
  {
    rule: 'pssh-one-box',
    how: 'the box twice',
    break: (text) => changeBytes(text, 'PSSH', WIDEVINE, (bytes) => Buffer.concat([bytes, bytes])),
  },
  {
    rule: 'pssh-system',
    how: 'the SystemID of PlayReady in all',
    break: (text) =>
      changeBytes(text, 'PSSH', WIDEVINE, (bytes) => {
        const changed = Buffer.from(bytes)
        Buffer.from(PLAYREADY.replaceAll('-', ''), 'hex').copy(changed, 12)
        return changed
      }),
  },
  {
    rule: 'pssh-kid',
    how: 'version 1 with kids as GUIDs',
    break: (text) => changeBoxes(text, WIDEVINE, (box, kid) => withKid(box, guid(kid))),
  },
  {
    rule: 'pssh-names-other-kids',
    how: 'version 1 with two kids',
    break: (text) =>
      changeBoxes(text, WIDEVINE, (box, kid) => {
        const other = createHash('sha256').update(kid).digest().subarray(0, 16)
        return withKid(box, uuid(kid), other)
      }),
  },
  {
    rule: 'common-pssh-form',
    how: 'version 0',
    wish: { drm: ['common-pssh'] },
    only: 'systems/2.0/common-pssh*',
    break: (text) => changeBoxes(text, COMMON, (box) => encodePssh({ ...box, kids: [] })),
  },
  {
    rule: 'protection-data-malformed',
    how: 'cenc: unbound',
    break: (text) =>
      changeBytes(text, 'ContentProtectionData', undefined, (bytes) =>
        bytes.toString().replace(' xmlns:cenc="urn:mpeg:cenc:2013"', ''),
      ),
  },
  {
    rule: 'protection-data-wrapped',
    how: 'with ContentProtection around it',
    break: (text) =>
      changeBytes(
        text,
        'ContentProtectionData',
        undefined,
        (bytes) => `<ContentProtection schemeIdUri="urn:uuid:${WIDEVINE}">${bytes}</ContentProtection>`,
      ),
  },
  {
    rule: 'protection-data-pssh-missing',
    how: 'another namespace',
    break: (text) =>
      changeBytes(text, 'ContentProtectionData', undefined, (bytes) =>
        bytes.toString().replace('urn:mpeg:cenc:2013', 'urn:mpeg:cenc'),
      ),
  },
  {
    rule: 'protection-data-pssh-differs',
    how: 'a version 1 box in PSSH',
    break: (text) =>
      changeBytes(text, 'PSSH', WIDEVINE, (bytes, kid) => {
        const data = bytes.subarray(32)
        const head = Buffer.from(bytes.subarray(0, 28))
        head.writeUInt32BE(bytes.length + 20, 0)
        head.writeUInt8(1, 8)
        return Buffer.concat([head, Buffer.of(0, 0, 0, 1), uuid(kid), bytes.subarray(28, 32), data])
      }),
  },

  {
    rule: 'widevine-data-malformed',
    how: 'JSON in the box',
    break: (text) => changeBoxes(text, WIDEVINE, (box) => encodePssh({ ...box, data: Buffer.from('{"kid":1}') })),
  },
  {
    rule: 'widevine-kid',
    how: 'key_ids as GUIDs',
    break: (text) =>
      changeBoxes(text, WIDEVINE, (box, kid) => encodePssh({ ...box, data: replaced(box.data, uuid(kid), guid(kid)) })),
  },
  {
    rule: 'widevine-scheme',
    how: 'no protection_scheme for cbcs',
    wish: CBCS,
    only: 'systems/2.0/*cbcs*',
    break: (text) =>
      changeBoxes(text, WIDEVINE, (box) =>
        encodePssh({ ...box, data: encodeWidevinePsshData({ keyIds: decodeWidevinePsshData(box.data).keyIds }) }),
      ),
  },
  {
    rule: 'playready-object-malformed',
    how: 'counts of four bytes',
    break: (text) =>
      changeBytes(text, 'SmoothStreamingProtectionHeaderData', PLAYREADY, (bytes) => {
        const head = Buffer.alloc(8)
        head.writeUInt32LE(1, 0)
        head.writeUInt32LE(bytes.length - 10, 4)
        return Buffer.concat([head, bytes.subarray(10)])
      }),
  },
  {
    rule: 'playready-kid',
    how: 'the KID in written order',
    break: (text) =>
      changeHeaders(text, (header, kid) =>
        header.replaceAll(guid(kid).toString('base64'), uuid(kid).toString('base64')),
      ),
  },
  {
    rule: 'playready-header',
    how: 'LA_URL outside DATA',
    break: (text) =>
      changeHeaders(text, (header) => header.replace('</DATA>', '</DATA><LA_URL>https://a.example</LA_URL>')),
  },
  {
    rule: 'playready-header-syntax',
    how: 'version before xmlns',
    break: (text) => changeHeaders(text, (header) => header.replace(/( xmlns="[^"]+")( version="[^"]+")/, '$2$1')),
  },
  {
    rule: 'playready-checksum',
    how: 'the CHECKSUM of another key',
    break: (text) => changeHeaders(text, (header) => header.replace(/<CHECKSUM>[^<]+/, '<CHECKSUM>AAAAAAAAAAA=')),
  },
  {
    rule: 'playready-algid',
    how: 'AESCTR for cbcs',
    wish: CBCS,
    only: 'systems/2.0/*cbcs*',
    break: (text) => changeHeaders(text, (header) => header.replace('AESCBC', 'AESCTR')),
  },
  {
    rule: 'playready-algid',
    how: 'AESCBC in header 4.2',
    wish: CBCS,
    only: 'systems/2.0/*cbcs*',
    break: (text) => changeHeaders(text, (header) => header.replace('4.3.0.0', '4.2.0.0')),
  },
  {
    rule: 'playready-pro-missing',
    how: 'no mspr:pro',
    break: (text) =>
      changeBytes(text, 'ContentProtectionData', PLAYREADY, (bytes) => bytes.toString().replace(/<mspr:pro.*$/, '')),
  },
  {
    rule: 'playready-objects-differ',
    how: 'another object for Smooth Streaming',
    break: (text) => {
      const other = changeHeaders(text, (header) =>
        header.replace('</DATA>', '<LUI_URL>https://a.example</LUI_URL></DATA>'),
      )
      const objects = [...other.matchAll(/SmoothStreamingProtectionHeaderData>([^<]+)</g)].map(
        ([, object = '']) => object,
      )
      return changeText(text, 'SmoothStreamingProtectionHeaderData', () => objects.shift())
    },
  },
  {
    rule: 'smooth-encoded-twice',
    how: 'base64 twice',
    break: (text) =>
      changeText(text, 'SmoothStreamingProtectionHeaderData', (value) => Buffer.from(value).toString('base64')),
  },
  {
    rule: 'fairplay-uri',
    how: 'an https URL',
    wish: CBCS,
    only: 'systems/2.0/*fairplay*',
    break: (text) => changeLines(text, FAIRPLAY, (line) => line.replace('skd://', 'https://')),
  },
  {
    rule: 'fairplay-asset-id-length',
    how: 'a long asset id',
    wish: CBCS,
    only: 'systems/2.0/*fairplay*',
    break: (text) => changeLines(text, FAIRPLAY, (line) => line.replace(/skd:[^"]+/, `skd://${'a'.repeat(201)}`)),
  },
  {
    rule: 'fairplay-json',
    how: 'another KeyId and IV',
    wish: CBCS,
    only: 'systems/2.0/*fairplay*',
    break: (text) => {
      const json = Buffer.from('{"ContentId":"a","KeyId":"0","IV":"AAAA"}').toString('base64')
      return changeLines(text, FAIRPLAY, (line) => line.replace(/skd:[^"]+/, `skd://${json}`))
    },
  },
  {
    rule: 'fairplay-iv-attribute',
    how: 'an IV attribute',
    wish: CBCS,
    only: 'systems/2.0/*fairplay*',
    break: (text) => changeLines(text, FAIRPLAY, (line) => `${line},IV=0x00112233445566778899AABBCCDDEEFF`),
  },
  {
    rule: 'fairplay-protection-data',
    how: 'ContentProtectionData for FairPlay',
    wish: CBCS,
    only: 'systems/2.0/*fairplay*',
    break: (text) =>
      changeElements(text, 'DRMSystem', (element) =>
        attributeOf(element, 'systemId') === FAIRPLAY
          ? { start: element.contentEnd, end: element.contentEnd, text: '<cpix:ContentProtectionData/>' }
          : undefined,
      ),
  },
  {
    rule: 'key-url',
    how: 'http to another machine',
    wish: AES_128,
    only: 'systems/2.0/aes-128*',
    break: (text) =>
      changeLines(text, undefined, (line) => line.replace(/URI="[^"]+"/, 'URI="http://keys.example.com/k"')),
  },
  {
    rule: 'v1-key-format',
    how: 'KeyFormat not in base64 of itself',
    wish: V1,
    only: 'v1',
    break: (text) =>
      changeText(text, 'KeyFormat', (value) => (value === '' ? '' : Buffer.from('com.apple').toString('base64'))),
  },
  {
    rule: 'levels-before-2-1',
    how: 'robustness in 2.0',
    break: (text) => changeAttribute(text, 'ContentProtectionData', 'robustness', () => 'HW_SECURE_ALL'),
  },
  {
    rule: 'hdcp-data',
    how: 'a level that there is not',
    wish: V21,
    only: 'systems/2.1',
    break: (text) =>
      text.replace(
        '<cpix:Data>',
        '<cpix:HDCPData HLSHDCPLevel="1.4"><cpix:HDCPOutputProtectionData>PGE+</cpix:HDCPOutputProtectionData></cpix:HDCPData><cpix:Data>',
      ),
  },
  {
    rule: 'allowed-cpc',
    how: 'labels alone',
    wish: V21,
    only: 'systems/2.1',
    break: (text) => changeAttribute(text, 'DRMSystem', 'HLSAllowedCPC', () => 'AppleMain'),
  },
]

function withKid(box: Parameters<typeof encodePssh>[0], ...kids: readonly Buffer[]): Uint8Array {
  const head = Buffer.from(encodePssh({ ...box, kids: [] }).subarray(0, 28))
  const size = Buffer.alloc(4)
  size.writeUInt32BE(kids.length)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(box.data.length)
  const whole = Buffer.concat([head, size, ...kids, length, box.data])
  whole.writeUInt32BE(whole.length, 0)
  whole.writeUInt8(1, 8)
  return whole
}

function replaced(bytes: Uint8Array, from: Buffer, to: Buffer): Buffer {
  return Buffer.from(Buffer.from(bytes).toString('hex').replace(from.toString('hex'), to.toString('hex')), 'hex')
}

/** The answer encrypted anew, soundly but for its padding. */
function unpadded(answer: string, request: string): string {
  const certificate = /X509Certificate>([^<]+)</.exec(request)?.[1]
  if (certificate === undefined) return answer
  const { publicKey } = new X509Certificate(Buffer.from(certificate, 'base64'))
  const [documentKey, macKey] = [Buffer.alloc(32, 1), Buffer.alloc(64, 2)]
  const wrap = (key: Buffer): Buffer =>
    publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, key)
  const aes = createCipheriv('aes-256-cbc', documentKey, Buffer.alloc(16)).setAutoPadding(false)
  const cipher = Buffer.concat([Buffer.alloc(16), aes.update(Buffer.alloc(32)), aes.final()])
  const ciphers = [wrap(documentKey), wrap(macKey)]
  const macOf = (bytes: Buffer): string => createHmac('sha512', macKey).update(bytes).digest('base64')
  let i = 0
  const withCiphers = changeText(answer, 'CipherValue', () => (ciphers[i++] ?? cipher).toString('base64'))
  i = 0
  return changeText(withCiphers, 'ValueMAC', () => macOf(ciphers[i++] ?? cipher))
}
