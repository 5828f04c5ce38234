import type { Attack, Group } from './case.ts'
import { KID, KIDS, requestFor, SOUND, WIDEVINE, withInside } from './documents.ts'

const body = (name: string, expected: number | readonly number[], xml: string | Uint8Array): Attack => ({
  name,
  expected: typeof expected === 'number' ? [expected] : expected,
  send: (target) => target.post(xml),
})
const ANSWERED = 200
const MALFORMED = 400
const LIMIT = 413
const UNSOUND = 422

const ENTITIES = Array.from({ length: 9 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join('')
const doctype = (inside: string, use = '&x;'): string => `<!DOCTYPE c [${inside}]>${withInside(use)}`
const nested = (depth: number): string => withInside(`${'<a>'.repeat(depth)}${'</a>'.repeat(depth)}`)
const contentKey = (attributes: string, inside = ''): string =>
  requestFor({}, { contentKeys: `<cpix:ContentKey ${attributes}>${inside}</cpix:ContentKey>` })
const key = `kid="${KID}" commonEncryptionScheme="cenc"`
const manyKids = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `00000000-0000-4000-8000-${i.toString(16).padStart(12, '0')}`)

export const BOMBS: Group = {
  name: 'entities and declarations',
  attacks: [
    body('billion laughs', MALFORMED, doctype(`<!ENTITY l0 "ha">${ENTITIES}`, '&l9;')),
    body('quadratic blow-up', MALFORMED, doctype(`<!ENTITY x "${'a'.repeat(50_000)}">`, '&x;'.repeat(2_000))),
    body('entity of itself', MALFORMED, doctype('<!ENTITY x "&x;">')),
    body('external entity of a file', MALFORMED, doctype('<!ENTITY x SYSTEM "file:///etc/passwd">')),
    body('external entity of a URL', MALFORMED, doctype('<!ENTITY x SYSTEM "http://127.0.0.1:1/x">')),
    body('external entity, PUBLIC', MALFORMED, doctype('<!ENTITY x PUBLIC "a" "file:///etc/passwd">')),
    body('parameter entity', MALFORMED, doctype('<!ENTITY % p SYSTEM "file:///etc/passwd">%p;', '')),
    body('external subset', MALFORMED, `<!DOCTYPE c SYSTEM "http://127.0.0.1:1/c.dtd">${SOUND}`),
    body('doctype without anything', MALFORMED, `<!DOCTYPE CPIX>${SOUND}`),
    body('doctype in lower case', MALFORMED, `<!doctype CPIX>${SOUND}`),
    body('doctype inside', MALFORMED, withInside('<!DOCTYPE x>')),
    body('attribute defaults by doctype', MALFORMED, doctype('<!ATTLIST c a CDATA "x">', '')),
    body('undeclared entity', MALFORMED, withInside('&undeclared;')),
    body('entity in an attribute', MALFORMED, SOUND.replace('contentId="attack"', 'contentId="&x;"')),
    body('HTML entity', MALFORMED, withInside('&nbsp;')),
    body('reference without an end', MALFORMED, withInside('&amp')),
    body('reference of 100 KB', MALFORMED, withInside(`&${'a'.repeat(100_000)};`)),
    body('stylesheet instruction', MALFORMED, `<?xml-stylesheet href="http://127.0.0.1:1/x.xsl"?>${SOUND}`),
    body('PHP instruction', MALFORMED, withInside('<?php system("id") ?>')),
    body('XML declaration inside', MALFORMED, withInside('<?xml version="1.0"?>')),
    body('XML declaration twice', MALFORMED, `<?xml version="1.0"?><?xml version="1.0"?>${SOUND}`),
    body(
      'XInclude is not followed',
      [200, UNSOUND],
      withInside('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'),
    ),
    body(
      'schema location is not fetched',
      [200, UNSOUND],
      SOUND.replace(
        '<cpix:CPIX ',
        '<cpix:CPIX xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:dashif:org:cpix http://127.0.0.1:1/x.xsd" ',
      ),
    ),
  ],
}

export const TREES: Group = {
  name: 'deep, wide and long',
  attacks: [
    ...[33, 1_000, 20_000, 100_000].map((depth) => body(`${depth} elements deep`, LIMIT, nested(depth))),
    body('100 000 start tags without an end', LIMIT, withInside('<a>'.repeat(100_000))),
    body('20 001 elements wide', LIMIT, withInside('<a/>'.repeat(20_001))),
    body('250 000 elements wide', LIMIT, withInside('<a/>'.repeat(250_000))),
    body(
      '10 000 attributes',
      LIMIT,
      withInside(`<a ${Array.from({ length: 10_000 }, (_, i) => `a${i}=""`).join(' ')}/>`),
    ),
    body(
      '20 000 namespaces',
      LIMIT,
      withInside(`<a ${Array.from({ length: 20_000 }, (_, i) => `xmlns:a${i}="u"`).join(' ')}/>`),
    ),
    body('a name of 500 KB', [LIMIT, MALFORMED], withInside(`<${'a'.repeat(500_000)}/>`)),
    body('an attribute of 900 KB', [LIMIT, 200], withInside(`<a b="${'a'.repeat(900_000)}"/>`)),
    body('text of 900 KB', [LIMIT, 200], withInside('a'.repeat(900_000))),
    body('a comment of 900 KB', [LIMIT, 200], withInside(`<!--${'a'.repeat(900_000)}-->`)),
    body('space of 900 KB', [LIMIT, 200], withInside(' '.repeat(900_000))),
    body('CDATA of 900 KB', [LIMIT, 200], withInside(`<![CDATA[${'a'.repeat(900_000)}]]>`)),
    body('100 000 references', [LIMIT, 200], withInside('&amp;'.repeat(100_000))),
    body('50 000 comments', [LIMIT, 200], withInside('<!---->'.repeat(50_000))),
    body('one byte over the largest body', LIMIT, Buffer.alloc(1_048_577, 0x20)),
    body('257 content keys', UNSOUND, requestFor({ kids: manyKids(257) })),
    body('4 000 content keys', UNSOUND, requestFor({ kids: manyKids(4_000), systems: [] })),
    body(
      '2 049 DRM systems',
      UNSOUND,
      requestFor({}, { drmSystems: `<cpix:DRMSystem kid="${KID}" systemId="${WIDEVINE}"/>`.repeat(2_049) }),
    ),
    body('33 recipients', UNSOUND, requestFor({}, { deliveryData: '<cpix:DeliveryData/>'.repeat(33) })),
    body(
      '257 key periods',
      UNSOUND,
      requestFor(
        {},
        { periods: Array.from({ length: 257 }, (_, i) => `<cpix:ContentKeyPeriod id="p${i}" index="${i}"/>`).join('') },
      ),
    ),
    body('a contentId of 257 characters', UNSOUND, requestFor({ contentId: 'a'.repeat(257) })),
    body('a contentId of 500 KB', [UNSOUND, LIMIT], requestFor({ contentId: 'a'.repeat(500_000) })),
  ],
}

const bytes = (...parts: readonly (string | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))))
const [HEAD = '', TAIL = ''] = SOUND.split('attack')

export const TEXTS: Group = {
  name: 'encodings and syntax',
  attacks: [
    body('UTF-16 with its mark', ANSWERED, Buffer.from(`\ufeff${SOUND}`, 'utf16le')),
    body('UTF-16 without', ANSWERED, Buffer.from(SOUND, 'utf16le')),
    body('UTF-16 the other way', ANSWERED, Buffer.from(`\ufeff${SOUND}`, 'utf16le').swap16()),
    body('UTF-32', MALFORMED, bytes([0, 0, 0xfe, 0xff], SOUND)),
    ...['UTF-7', 'ISO-8859-1', 'UTF-16', 'EBCDIC-CP-US', 'x'.repeat(10_000)].map((encoding) =>
      body(`declared as ${encoding.slice(0, 20)}`, MALFORMED, `<?xml version="1.0" encoding="${encoding}"?>${SOUND}`),
    ),
    body('overlong UTF-8', MALFORMED, bytes(HEAD, [0xc0, 0xaf], TAIL)),
    body('half a UTF-8 sequence', MALFORMED, bytes(HEAD, [0xe2, 0x82], TAIL)),
    body('a surrogate in UTF-8', MALFORMED, bytes(HEAD, [0xed, 0xa0, 0x80], TAIL)),
    body('beyond U+10FFFF', MALFORMED, bytes(HEAD, [0xf4, 0x90, 0x80, 0x80], TAIL)),
    body('a NUL byte', MALFORMED, bytes(HEAD, [0], TAIL)),
    body('a control character', MALFORMED, bytes(HEAD, [7], TAIL)),
    body('U+FFFF', MALFORMED, bytes(HEAD, '\uffff', TAIL)),
    ...['&#0;', '&#xFFFE;', '&#xD800;', '&#x110000;', '&#99999999999999999999;', '&#x;', '&#;'].map((reference) =>
      body(`the reference ${reference}`, MALFORMED, SOUND.replace('attack', reference)),
    ),
    body('a mark of byte order inside', MALFORMED, `<?xml version="1.0"?>\ufeff<?xml?>${SOUND}`),
    body('XML 1.1', MALFORMED, `<?xml version="1.1"?>${SOUND}`),
    body('XML 9.9', MALFORMED, `<?xml version="9.9"?>${SOUND}`),
    body('space before the declaration', MALFORMED, ` <?xml version="1.0"?>${SOUND}`),
    body('nothing', MALFORMED, ''),
    body('space alone', MALFORMED, ' \n\t'),
    body('half of a document', MALFORMED, SOUND.slice(0, SOUND.length / 2)),
    body('two documents', MALFORMED, SOUND + SOUND),
    body('text behind the end', MALFORMED, `${SOUND}x`),
    body('tags that cross', MALFORMED, withInside('<a><b></a></b>')),
    body('an attribute twice', MALFORMED, withInside('<a b="1" b="2"/>')),
    body('an attribute twice by two prefixes', MALFORMED, withInside('<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>')),
    body('an attribute without quotes', MALFORMED, withInside('<a b=1/>')),
    body('a less-than in an attribute', MALFORMED, withInside('<a b="<"/>')),
    body('an undeclared prefix', MALFORMED, withInside('<p:a/>')),
    body('the prefix xmlns declared', MALFORMED, withInside('<a xmlns:xmlns="u"/>')),
    body('the prefix xml of another name', MALFORMED, withInside('<a xmlns:xml="u"/>')),
    body('an empty prefix declaration', MALFORMED, withInside('<a xmlns:p=""/>')),
    body('a comment with two hyphens', MALFORMED, withInside('<!-- -- -->')),
    body('a comment without an end', MALFORMED, withInside('<!--')),
    body('CDATA without an end', MALFORMED, withInside('<![CDATA[')),
    body('the end of CDATA alone', MALFORMED, withInside(']]>')),
    body('JSON', MALFORMED, '{"contentId":"attack"}'),
    body('HTML', MALFORMED, '<!DOCTYPE html><p>'),
    body('gzip', MALFORMED, bytes([0x1f, 0x8b, 8, 0, 0, 0, 0, 0])),
    body('a ZIP', MALFORMED, bytes('PK', [3, 4])),
  ],
}

/** A sound request with the first element of this name repeated. */
const twice = (element: string): string =>
  SOUND.replace(new RegExp(`<cpix:${element}(?: [^>]*)?(?:/>|>.*?</cpix:${element}>)`, 's'), (one) => one + one)

export const STRUCTURE: Group = {
  name: 'duplicates, odd values, prototype names',
  attacks: [
    ...['ContentKey', 'ContentKeyList', 'DRMSystem', 'DRMSystemList', 'ContentKeyUsageRuleList', 'PSSH'].map(
      (element) => body(`${element} twice`, UNSOUND, twice(element)),
    ),
    body('contentId twice', MALFORMED, SOUND.replace('contentId=', 'contentId="a" contentId=')),
    body(
      'contentId by another prefix is none',
      [200, UNSOUND],
      SOUND.replace('contentId=', 'xmlns:o="u" o:contentId="x" contentId='),
    ),
    body('a kid in two cases', UNSOUND, requestFor({ kids: [KID, KID.toUpperCase()] })),
    body('another root', UNSOUND, '<a/>'),
    body('the root of another namespace', UNSOUND, '<CPIX xmlns="urn:other"/>'),
    body('the root without a namespace', UNSOUND, '<CPIX/>'),
    body(
      'an id twice',
      [200, UNSOUND],
      SOUND.replace('<cpix:ContentKey ', '<cpix:ContentKey id="x" ')
        .replace('<cpix:DRMSystem ', '<cpix:DRMSystem id="x" ')
        .replace('contentId', 'id="x" contentId'),
    ),
    ...['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'prototype'].flatMap((name) => [
      body(`kid ${name}`, UNSOUND, contentKey(`kid="${name}" commonEncryptionScheme="cenc"`)),
      body(`scheme ${name}`, UNSOUND, contentKey(`kid="${KID}" commonEncryptionScheme="${name}"`)),
      body(`system ${name}`, UNSOUND, SOUND.replaceAll(WIDEVINE, name)),
    ]),
    body('an attribute __proto__', [200, UNSOUND], withInside('<a __proto__="x" constructor="y"/>')),
    body('an element __proto__', [200, UNSOUND], withInside('<__proto__><constructor/></__proto__>')),
    body(
      'a track type __proto__',
      [200, UNSOUND],
      SOUND.replace('intendedTrackType="ALL"', 'intendedTrackType="__proto__"'),
    ),
    body('a playlist __proto__', UNSOUND, SOUND.replace('playlist="media"', 'playlist="__proto__"')),
    ...[
      'AAAA',
      '=',
      '====',
      'A'.repeat(23),
      'AAAAAAAAAAAAAAAAAAAAA*==',
      '-_-_-_-_-_-_-_-_-_-_-_==',
      '\u0661'.repeat(22),
      'A'.repeat(500_000),
    ].map((iv) => body(`explicitIV ${iv.slice(0, 24)}`, [UNSOUND, LIMIT], contentKey(`${key} explicitIV="${iv}"`))),
    ...['', 'x', `{${KID}}`, `urn:uuid:${KID}`, `${KID} `, KID.replace(/-/g, ''), '0'.repeat(100_000)].map((kid) =>
      body(
        `kid ${JSON.stringify(kid.slice(0, 20))}`,
        [UNSOUND, 200, LIMIT],
        contentKey(`kid="${kid}" commonEncryptionScheme="cenc"`),
      ),
    ),
    body(
      'a key in the request',
      UNSOUND,
      contentKey(
        key,
        '<cpix:Data><pskc:Secret><pskc:PlainValue>AAECAwQFBgcICQoLDA0ODw==</pskc:PlainValue></pskc:Secret></cpix:Data>',
      ),
    ),
    body(
      'rules of kids that are not there',
      UNSOUND,
      SOUND.replace(
        '<cpix:ContentKeyUsageRule kid="',
        `<cpix:ContentKeyUsageRule kid="${KIDS[4]}" intendedTrackType="HD"><cpix:VideoFilter/></cpix:ContentKeyUsageRule><cpix:ContentKeyUsageRule kid="`,
      ),
    ),
  ],
}
