import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { XML_NAMESPACE, XMLNS_NAMESPACE, type XmlDocument, type XmlElement } from '../../../src/formats/xml/document.ts'
import { XmlError } from '../../../src/formats/xml/error.ts'
import {
  attributeOf,
  childOf,
  childrenOf,
  pathOf,
  positionOf,
  prefixInScope,
  readXml,
  textOf,
} from '../../../src/formats/xml/reader.ts'
import { anyDocument, type Random, random } from './generator.ts'
import { bytesOf, SAMPLE } from './sample.ts'

interface Vectors {
  read: { name: string; origin: string; xml: string; attributes: Record<string, string>; text: string }[]
  refused: { name: string; origin: string; xml: string }[]
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/xml.json', import.meta.url), 'utf8')) as Vectors
const read = (text: string) => readXml(bytesOf(text))
const refused = { code: 'ERR_XML_MALFORMED' }
const CPIX = 'urn:dashif:org:cpix'

function elementsOf(root: XmlElement): XmlElement[] {
  return [root, ...root.children.flatMap(elementsOf)]
}

for (const { name, origin, xml, attributes, text } of vectors.read) {
  test(`reads ${name} (${origin})`, () => {
    const document = read(xml)
    assert.deepEqual(Object.fromEntries(document.root.attributes.map((a) => [a.name, a.value])), attributes)
    assert.equal(textOf(document, document.root), text)
  })
}

for (const { name, origin, xml } of vectors.refused) {
  test(`rejects ${name} (${origin})`, () => assert.throws(() => read(xml), refused))
}

const MALFORMED: readonly (readonly [string, string, RegExp?])[] = [
  ['an empty document', '', /^line 1, column 1: a root element was expected$/],
  ['only white space', ' \n', /^line 2, column 1: /],
  ['only a comment', '<!-- a -->'],
  ['text only', 'a'],
  [
    'white space before the declaration',
    ' <?xml version="1.0"?><a/>',
    /column 2: the XML declaration must be at the very/,
  ],
  ['a comment before the declaration', '<!-- --><?xml version="1.0"?><a/>', /the XML declaration must be at the very/],
  ['a declaration inside', '<a><?xml version="1.0"?></a>', /the XML declaration must be at the very start$/],
  ['a declaration without a version', '<?xml encoding="UTF-8"?><a/>', /the XML declaration is malformed$/],
  ['a declaration out of order', '<?xml version="1.0" standalone="no" encoding="UTF-8"?><a/>'],
  ['a declaration without white space', '<?xml version="1.0"encoding="UTF-8"?><a/>'],
  ['a declaration that is not finished', '<?xml version="1.0"'],
  ['standalone that is neither yes nor no', '<?xml version="1.0" standalone="maybe"?><a/>'],
  ['XML 1.1', '<?xml version="1.1"?><a/>', /the XML version must be 1\.0$/],
  [
    'a declared encoding of UTF-16',
    '<?xml version="1.0" encoding="UTF-16"?><a/>',
    /another encoding than that of the document; send/,
  ],
  [
    'a declared encoding of Latin 1',
    '<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
    /another encoding than that of the document; send/,
  ],
  ['a DOCTYPE', '<!DOCTYPE a><a/>', /a DOCTYPE is not allowed$/],
  ['a DOCTYPE with entities', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', /a DOCTYPE is not allowed$/],
  ['a DOCTYPE inside', '<a><!DOCTYPE a></a>', /a DOCTYPE is not allowed$/],
  ['a processing instruction before', '<?b c?><a/>', /a processing instruction is not allowed$/],
  ['a processing instruction inside', '<a><?b c?></a>', /a processing instruction is not allowed$/],
  ['a processing instruction after', '<a/><?b c?>', /a processing instruction is not allowed$/],
  [
    'a processing instruction that begins as a declaration',
    '<?xml-stylesheet href="b"?><a/>',
    /a processing instruction/,
  ],
  ['two roots', '<a/><b/>', /column 5: only one root element is allowed$/],
  ['text before the root', 'b<a/>', /text is not allowed outside the root element$/],
  ['text after the root', '<a/>b', /text is not allowed outside the root element$/],
  ['a reference after the root', '<a/>&#32;', /text is not allowed outside the root element$/],
  ['CDATA after the root', '<a/><![CDATA[]]>'],
  ['a second byte order mark', '\ufeff\ufeff<a/>', /text is not allowed outside the root element$/],
  ['an end tag without a start tag', '</a>'],
  ['an end tag of another name', '<a></b>', /column 4: the end tag of "a" was expected$/],
  ['an end tag of a longer name', '<a></ab>'],
  ['an end tag of another prefix', '<p:a xmlns:p="u" xmlns:q="u"></q:a>'],
  ['an end tag with an attribute', '<a></a b="">'],
  ['an end tag with a space before its name', '<a></ a>'],
  ['a missing end tag', '<a>', /the end tag of "a" is missing$/],
  ['crossed elements', '<a><b></a></b>'],
  ['a start tag that is not finished', '<a '],
  ['a slash that is not followed by ">"', '<a / >'],
  ['a space before the name', '< a/>', /column 2: a name was expected$/],
  ['a name that begins with a digit', '<1a/>'],
  ['a name that begins with a combining character', '<\u0300a/>'],
  ['a name with a character that is none', '<a\u00d7b/>'],
  ['a name with a private character', '<a\u{f0000}/>'],
  ['a local name that begins with a digit', '<p:1 xmlns:p="u"/>', /a local name was expected after the colon$/],
  ['an empty prefix', '<:a/>'],
  ['an empty local name', '<p: xmlns:p="u"/>'],
  ['two colons', '<p:a:b xmlns:p="u"/>', /column 5: a name must not have two colons$/],
  ['an attribute without a value', '<a b/>', /"=" was expected after the attribute "b"$/],
  ['an attribute value without quotes', '<a b=c/>', /the value of the attribute "b" must be in quotes$/],
  ['an attribute value that is not finished', '<a b="c/>', /the value of the attribute "b" is not finished$/],
  ['an attribute value with "<"', '<a b="<"/>', /"<" is not allowed in the value of the attribute "b"$/],
  ['an attribute value with a bare "&"', '<a b="&"/>', /only &amp; /],
  ['an attribute value whose reference ends behind it', '<a b="&amp" c=";"/>', /only &amp; /],
  ['attributes without white space between', '<a b=""c=""/>', /white space, ">" or "\/>" was expected$/],
  ['an attribute that occurs twice', '<a b="" b=""/>', /column 9: the attribute "b" occurs twice$/],
  [
    'an attribute that occurs twice among many',
    `<a ${'bcdefghijklm'
      .split('')
      .map((n) => `${n}="" `)
      .join('')} c=""/>`,
  ],
  ['an attribute that occurs twice by its expanded name', '<a xmlns:p="u" xmlns:q="&#117;" p:b="" q:b=""/>'],
  [
    'an attribute that occurs twice by its expanded name among many',
    `<a xmlns:p="u" xmlns:q="u" ${'bcdefghijklm'
      .split('')
      .map((n) => `${n}="" `)
      .join('')} p:b="" q:b=""/>`,
    /the attribute "q:b" occurs twice$/,
  ],
  ['a prefix declared twice', '<a xmlns:p="u" xmlns:p="v"/>'],
  ['a default namespace declared twice', '<a xmlns="u" xmlns="u"/>'],
  ['a prefix that is not declared', '<a>\n  <x:b/></a>', /^line 2, column 4: the prefix "x" is not declared$/],
  ['a prefix of an attribute that is not declared', '<a x:b=""/>', /column 4: the prefix "x" is not declared$/],
  ['a prefix declared only by a sibling', '<a><b xmlns:p="u"/><p:c/></a>'],
  ['a prefix declared only inside', '<p:a><b xmlns:p="u"/></p:a>'],
  ['a prefix declared only by an element that has ended', '<a><b xmlns:p="u"><p:c/></b><p:c/></a>'],
  ['a prefix bound to nothing', '<a xmlns:p=""/>', /a prefix must not be bound to an empty namespace name$/],
  ['the prefix xml bound to another namespace', '<a xmlns:xml="u"/>'],
  ['another prefix bound to the xml namespace', `<a xmlns:p="${XML_NAMESPACE}"/>`],
  ['the default bound to the xml namespace', `<a xmlns="${XML_NAMESPACE}"/>`],
  ['the prefix xmlns declared', `<a xmlns:xmlns="${XMLNS_NAMESPACE}"/>`],
  ['a prefix bound to the xmlns namespace', `<a xmlns:p="${XMLNS_NAMESPACE}"/>`],
  ['the default bound to the xmlns namespace', `<a xmlns="${XMLNS_NAMESPACE}"/>`],
  ['an element with the prefix xmlns', '<xmlns:a/>', /an element must not have the prefix "xmlns"$/],
  ['"]]>" in text', '<a>]]></a>', /"]]>" is not allowed in text$/],
  ['"]]]>" in text', '<a>b]]]>c</a>'],
  ['a bare "&"', '<a>b & c</a>', /column 6: only &amp; /],
  ['an undeclared entity', '<a>&nbsp;</a>'],
  ['an entity of another case', '<a>&AMP;</a>'],
  ['an empty reference', '<a>&;</a>'],
  ['an empty character reference', '<a>&#;</a>'],
  ['an empty hexadecimal reference', '<a>&#x;</a>'],
  ['a hexadecimal reference with a capital X', '<a>&#X41;</a>'],
  ['a decimal reference with a letter', '<a>&#4A;</a>'],
  ['a reference to NUL', '<a>&#0;</a>'],
  ['a reference to a surrogate', '<a>&#xD800;</a>'],
  ['a reference to U+FFFE', '<a>&#xFFFE;</a>'],
  ['a reference past Unicode', '<a>&#x110000;</a>'],
  ['a reference far past Unicode', `<a>&#x1${'0'.repeat(400)};</a>`],
  ['NUL', '<a>\0</a>', /column 4: a character that XML 1\.0 does not allow$/],
  ['a control character in a value', '<a b="\u001b"/>'],
  ['a control character in a comment', '<a><!--\u0001--></a>'],
  ['a control character in CDATA', '<a><![CDATA[\u000b]]></a>'],
  ['U+FFFF', '<a>\uffff</a>'],
  ['"--" in a comment', '<a><!-- -- --></a>', /"--" is not allowed in a comment$/],
  ['a comment that is not finished', '<a><!-- </a>', /a comment is not finished$/],
  ['a comment that overlaps its end', '<a><!--></a>'],
  ['CDATA that is not finished', '<a><![CDATA[ ]] ></a>', /a CDATA section is not finished$/],
  ['CDATA in small letters', '<a><![cdata[]]></a>'],
  ['a comment inside a tag', '<a <!-- b --> />'],
]

describe('a malformed document', () => {
  for (const [what, xml, message] of MALFORMED) {
    test(`is rejected: ${what}`, () => assert.throws(() => read(xml), { ...refused, ...(message && { message }) }))
  }
})

const WELL_FORMED: readonly (readonly [string, string, string])[] = [
  ['names of all kinds', '<p:é-·_.1 xmlns:p="u"><\u{10000}/></p:é-·_.1 >', ''],
  ['line ends', '<a>1\r\n2\r3\n4</a>', '1\n2\n3\n4'],
  [
    'references',
    '<a>&amp;&lt;&gt;&quot;&apos;&#65;&#x4a;&#x1F511;&#000000000000000000065;&#13;</a>',
    '&<>"\'AJ\u{1f511}A\r',
  ],
  ['a reference that makes a reference', '<a>&amp;amp;</a>', '&amp;'],
  ['CDATA beside text', '<a>1<![CDATA[&amp;<b>\r\n]]]]><![CDATA[>]]>2</a>', '1&amp;<b>\n]]>2'],
  ['text on both sides of comments and elements', '<a>1<!-->-->2<b>no</b>3<!-- no -->4</a>', '1234'],
  [
    'a declaration with much white space',
    '<?xml\tversion\n=\r\'1.0\'  encoding = "utf8" standalone="yes" ?>\n<a>1</a>',
    '1',
  ],
  ['a declared encoding of US-ASCII', '<?xml version="1.0" encoding="us-ascii"?><a>1</a>', '1'],
  ['comments around the root', '<!----> <a>1</a>\n<!-- -->\n', '1'],
  ['a byte order mark', '\ufeff<?xml version="1.0"?><a>1</a>', '1'],
  ['a replacement character that stands in the document', '<a>\ufffd</a>', '\ufffd'],
]

describe('a well-formed document', () => {
  for (const [what, xml, text] of WELL_FORMED) {
    test(`is read: ${what}`, () => {
      const document = read(xml)
      assert.equal(textOf(document, document.root), text)
    })
  }

  test('keeps its source without the byte order mark', () => assert.equal(read('\ufeff<a/>').source, '<a/>'))

  test('gives elements and attributes their namespaces', () => {
    const { root } = read('<a xmlns="u" xmlns:p="v" b="" p:b="" xml:lang=""><c xmlns=""/><p:d xmlns:p="w"/><p:e/></a>')
    assert.equal(root.namespace, 'u')
    assert.deepEqual(
      root.attributes.map(({ namespace, prefix, local }) => [namespace, prefix, local]),
      [
        [XMLNS_NAMESPACE, '', 'xmlns'],
        [XMLNS_NAMESPACE, 'xmlns', 'p'],
        ['', '', 'b'],
        ['v', 'p', 'b'],
        [XML_NAMESPACE, 'xml', 'lang'],
      ],
    )
    assert.deepEqual(
      root.children.map(({ namespace }) => namespace),
      ['', 'w', 'v'],
    )
  })

  test('says whether an element holds text', () => {
    const hasText = (xml: string): boolean => read(xml).root.hasText
    assert.deepEqual(['<a/>', '<a></a>', '<a><b/></a>'].map(hasText), [false, false, false])
    assert.deepEqual(['<a> </a>', '<a><!----></a>', '<a><![CDATA[]]></a>'].map(hasText), [true, true, true])
  })

  test('is read from any buffer', () => {
    const shared = bytesOf(`....${SAMPLE}....`)
    assert.equal(readXml(shared.subarray(4, shared.length - 4)).source, SAMPLE)
  })
})

describe('the encoding', () => {
  const utf32 = /UTF-32; send it in UTF-8$/
  const utf16le = (text: string): Buffer => Buffer.from(text, 'utf16le')
  const utf16be = (text: string): Buffer => utf16le(text).swap16()
  const utf32le = Uint8Array.from([...'<a/>'].flatMap((c) => [c.charCodeAt(0), 0, 0, 0]))
  const WIDE: readonly (readonly [string, Uint8Array])[] = [
    ['UTF-32LE', utf32le],
    ['UTF-32LE with its mark', Uint8Array.of(0xff, 0xfe, 0, 0, ...utf32le)],
    ['UTF-32BE', utf32le.slice().reverse()],
    ['UTF-32BE with its mark', Uint8Array.of(0, 0, 0xfe, 0xff, 0, 0, 0, 0x3c)],
  ]
  for (const [name, bytes] of WIDE) {
    test(`rejects ${name}`, () => assert.throws(() => readXml(bytes), { ...refused, message: utf32 }))
  }

  const DECLARED = '<?xml version="1.0" encoding="UTF-16" standalone="yes"?>\n<a b="é🔑">€</a>'
  for (const [name, encode] of [
    ['UTF-16LE', utf16le],
    ['UTF-16BE', utf16be],
  ] as const) {
    test(`reads ${name} as the same text in UTF-8, whose declaration says so`, () => {
      const order = name.slice(-2)
      for (const text of [DECLARED, DECLARED.replace('UTF-16', `utf-16${order}`), DECLARED.replaceAll('"', "'")]) {
        for (const mark of ['\ufeff', '']) {
          const { source, root } = readXml(encode(mark + text))
          assert.deepEqual(source.split('\n')[1], text.split('\n')[1])
          assert.equal(source.length, text.length)
          assert.deepEqual(readXml(Buffer.from(source)).root.attributes[0]?.value, 'é🔑')
          assert.equal(textOf({ source, root }, root), '€')
        }
      }
      assert.equal(readXml(encode('<a/>')).source, '<a/>')
      assert.equal(readXml(encode('\ufeff<a/>')).source, '<a/>')
    })

    test(`names the place of an error in ${name}`, () => {
      assert.throws(() => readXml(encode(`${DECLARED}\n<b/>`)), { ...refused, line: 3, column: 1 })
    })

    test(`rejects ${name} that is cut, has half a character, or declares another encoding`, () => {
      const bytes = encode(DECLARED)
      assert.throws(() => readXml(bytes.subarray(0, -1)), { ...refused, message: /not valid UTF-16/ })
      assert.throws(() => readXml(encode('<a>\ud83d</a>')), { ...refused, column: 4 })
      const other = name === 'UTF-16LE' ? 'UTF-16BE' : 'UTF-16LE'
      for (const encoding of [other, 'ISO-8859-1']) {
        const text = DECLARED.replace('UTF-16', encoding)
        assert.throws(() => readXml(encode(text)), { ...refused, message: /another encoding/ })
      }
    })
  }

  test('places an error after many replacement characters in under 50 ms', () => {
    const bytes = Buffer.concat([Buffer.from(`<a>${'\ufffd'.repeat(330_000)}`), Buffer.of(0xff)])
    const before = process.cpuUsage()
    assert.throws(() => readXml(bytes), { ...refused, line: 1, column: 330_004 })
    const { user, system } = process.cpuUsage(before)
    assert.ok((user + system) / 1000 < 50, `${(user + system) / 1000} ms`)
  })

  const INVALID: readonly (readonly [string, readonly number[]])[] = [
    ['a lone continuation byte', [0x80]],
    ['a truncated character', [0xe2, 0x82]],
    ['an overlong form', [0xc0, 0xbc]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a character past Unicode', [0xf4, 0x90, 0x80, 0x80]],
    ['Latin 1', [0xe9]],
  ]
  for (const [name, bytes] of INVALID) {
    test(`is rejected with its place: ${name}`, () => {
      const document = Uint8Array.of(...bytesOf('<a>\n\ufffdé'), ...bytes, ...bytesOf('</a>'))
      assert.throws(() => readXml(document), {
        ...refused,
        message: 'line 2, column 3: the document is not valid UTF-8',
      })
    })
  }
})

test('rejects every truncation of a request', () => {
  const bytes = bytesOf(SAMPLE)
  assert.equal(readXml(bytes).root.local, 'CPIX')
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => readXml(bytes.subarray(0, length)), refused, `${length} bytes`)
  }
})

describe('limits', () => {
  const LIMITS: readonly (readonly [keyof typeof FITTING, RegExp])[] = [
    ['bytes', /^line 1, column 1: the document is larger than 20 bytes$/],
    ['depth', /^line 1, column 7: elements are nested more than 2 deep$/],
    ['elements', /^line 1, column 12: more than 3 elements$/],
    ['attributes', /an element has more than 2 attributes$/],
    ['allAttributes', /^line 1, column 17: more than 2 attributes$/],
    ['textLength', /is longer than 4 characters$/],
    ['nameLength', /a name is longer than 5 characters$/],
  ]
  const FITTING = {
    bytes: { limit: 20, fits: ['<a>1234567890123</a>'], breaks: ['<a>12345678901234</a>'] },
    depth: {
      limit: 2,
      fits: ['<a><b/></a>', '<a><b></b><b/></a>'],
      breaks: ['<a><b><c/></b></a>', '<a><b><c></c></b></a>'],
    },
    elements: { limit: 3, fits: ['<a><b/><b/></a>'], breaks: ['<a><b/><c/><d/></a>'] },
    attributes: { limit: 2, fits: ['<a b="" c=""/>'], breaks: ['<a b="" c="" d=""/>', '<a b="" xmlns="" d=""/>'] },
    allAttributes: { limit: 2, fits: ['<a b=""><c d=""/></a>'], breaks: ['<a b=""><c d="" e=""/></a>'] },
    textLength: {
      limit: 4,
      fits: ['<a>1234<b/>1234</a>', '<a b="1234"/>', '<a><![CDATA[1234]]></a>', '<a><!-- 12345 --></a>'],
      breaks: ['<a>12345</a>', '<a b="12345"/>', '<a><![CDATA[12345]]></a>', '<a>&#49;</a>', '<a b="&#49;"/>'],
    },
    nameLength: { limit: 5, fits: ['<abcde fghij=""/>'], breaks: ['<abcdef/>', '<a fghijk=""/>', '<a p:bcde=""/>'] },
  }
  for (const [name, message] of LIMITS) {
    const { limit, fits, breaks } = FITTING[name]
    test(`of ${name}: reads valid values and rejects others`, () => {
      for (const xml of fits) assert.equal(readXml(bytesOf(xml), { [name]: limit }).source, xml)
      for (const xml of breaks) {
        assert.throws(() => readXml(bytesOf(xml), { [name]: limit }), { code: 'ERR_XML_LIMIT', message }, xml)
      }
    })
  }

  test('have defaults: 1 MiB, 32 deep, 20 000 elements, 64 attributes each, 40 000 in all, 64 KiB of text, names of 256', () => {
    const limit = { code: 'ERR_XML_LIMIT' }
    const nested = (depth: number): string => '<a>'.repeat(depth) + '</a>'.repeat(depth)
    const attributes = (count: number): string =>
      `<a ${Array.from({ length: count }, (_, i) => `b${i}=""`).join(' ')}/>`
    const AT_LIMIT: readonly ((over: number) => string)[] = [
      (over) => `<a>${'<!---->'.repeat(149_000)}</a>`.padEnd(1024 * 1024 + over, ' '),
      (over) => nested(32 + over),
      (over) => `<a>${'<b/>'.repeat(19_999 + over)}</a>`,
      (over) => attributes(64 + over),
      (over) => `<a>${attributes(50).repeat(800)}<b${over === 0 ? '' : ' c=""'}/></a>`,
      (over) => `<a>${'b'.repeat(64 * 1024 + over)}</a>`,
      (over) => `<a b="${'b'.repeat(64 * 1024 + over)}"/>`,
      (over) => `<${'a'.repeat(256 + over)}/>`,
    ]
    for (const document of AT_LIMIT) {
      assert.equal(read(document(0)).root.local[0], 'a')
      assert.throws(() => read(document(1)), limit)
    }
  })
})

describe('an error', () => {
  const errorOf = (xml: string): XmlError => {
    try {
      read(xml)
    } catch (error) {
      if (error instanceof XmlError) return error
    }
    return assert.fail('nothing was refused')
  }

  test('is a KeyProviderError with line and column', () => {
    const error = errorOf('<a>\r\n\r\u{1f511}é&</a>')
    assert.ok(error instanceof KeyProviderError)
    assert.deepEqual([error.name, error.code, error.line, error.column], ['XmlError', 'ERR_XML_MALFORMED', 3, 3])
  })

  test('cuts long names and hides what does not print', () => {
    const { message } = errorOf(`<a><b\u200c${'c'.repeat(100)}></a></a>`)
    assert.match(message, /: the end tag of "b\?c{62}…" was expected$/)
  })

  test('never holds text or the value of an attribute', () => {
    const secret = 'F2hpcyBpcyBhIHNlY3JldA'
    const SPOTS = [
      `<a b="${secret}&"/>`,
      `<a>${secret}&`,
      `<a>&${secret};</a>`,
      `<a b="&${secret};"/>`,
      `<a b="${secret}<"/>`,
    ]
    const MORE = [
      `<a b="${secret}`,
      `<a><![CDATA[${secret}`,
      `<a><!--${secret}`,
      `${secret}<a/>`,
      `<a xmlns:xml="${secret}"/>`,
    ]
    for (const xml of [...SPOTS, ...MORE]) assert.doesNotMatch(errorOf(xml).message, new RegExp(secret))
  })
})

test('every element and attribute is in the source at its offsets', () => {
  const next = random(7)
  for (let i = 0; i < 300; i++) {
    const { source, root } = anyWellFormed(next)
    for (const element of elementsOf(root)) {
      const declarations = namespacesOf(element)
      const own = source.slice(element.start, element.end)
      const again = read(`<r${declarations}>${own}</r>`)
      assert.deepEqual(shapeOf(again.root.children[0]), shapeOf(element))
      assert.equal(source.slice(element.start, element.start + 1 + element.name.length), `<${element.name}`)
      assert.match(
        source.slice(element.attributesEnd, element.contentStart),
        element.selfClosing ? /^\s*\/>$/ : /^\s*>$/,
      )
      assert.equal(element.selfClosing ? '</' : source.slice(element.contentEnd, element.contentEnd + 2), '</')
      assert.ok(!element.selfClosing || (element.contentStart === element.end && element.contentEnd === element.end))
      for (const { name, start, end, valueStart, valueEnd } of element.attributes) {
        assert.match(source.slice(start, valueStart - 1).slice(name.length), /^\s*=\s*$/)
        assert.equal(source.slice(start, start + name.length), name)
        assert.equal(source[valueStart - 1], source[valueEnd])
        assert.equal(end, valueEnd + 1)
      }
    }
  }
})

function anyWellFormed(next: Random): XmlDocument {
  for (;;) {
    try {
      return read(anyDocument(next))
    } catch (error) {
      assert.ok(error instanceof XmlError, String(error))
    }
  }
}

/** The declarations in scope around `element`, innermost first. */
function namespacesOf(element: XmlElement): string {
  const found = new Map<string, string>()
  for (let at = element.parent; at !== undefined; at = at.parent) {
    for (const { name, namespace, value } of at.attributes) {
      if (namespace === XMLNS_NAMESPACE && !found.has(name)) found.set(name, value)
    }
  }
  return [...found].map(([name, value]) => ` ${name}="${value.replaceAll('&', '&amp;')}"`).join('')
}

function shapeOf(element: XmlElement | undefined): unknown {
  const { name, namespace, attributes, children, hasText } = element ?? assert.fail('no element')
  return {
    name,
    namespace,
    hasText,
    values: attributes.map((a) => [a.name, a.namespace, a.value]),
    children: children.map(shapeOf),
  }
}

describe('the document', () => {
  const document = read(SAMPLE)
  const { root } = document
  const keys = childOf(root, CPIX, 'ContentKeyList') ?? assert.fail()
  const systems = childOf(root, CPIX, 'DRMSystemList') ?? assert.fail()

  test('finds children by expanded name, in order', () => {
    assert.deepEqual(
      childrenOf(keys, CPIX, 'ContentKey').map((key) => attributeOf(key, 'kid')?.slice(0, 4)),
      ['98ee', '53ab'],
    )
    assert.deepEqual(childrenOf(keys, 'urn:other', 'ContentKey'), [])
    assert.equal(childOf(root, CPIX, 'ContentKey'), undefined)
  })

  test('finds unprefixed attributes only', () => {
    assert.equal(attributeOf(root, 'contentId'), 'köln & 東京')
    assert.equal(attributeOf(root, 'cpix'), undefined)
  })

  test('names the path of an element, with a number only among namesakes', () => {
    assert.equal(pathOf(root), 'CPIX')
    assert.deepEqual(keys.children.map(pathOf), [
      'CPIX/ContentKeyList/ContentKey[1]',
      'CPIX/ContentKeyList/ContentKey[2]',
    ])
    assert.deepEqual(systems.children.map(pathOf), ['CPIX/DRMSystemList/DRMSystem'])
  })

  test('tells the line and column of an offset', () => {
    assert.deepEqual(positionOf(document, 0), { line: 1, column: 1 })
    assert.deepEqual(positionOf(document, keys.start), { line: 4, column: 3 })
    assert.deepEqual(positionOf(document, SAMPLE.length), { line: 15, column: 13 })
  })

  test('gives the text of an element with CDATA and references', () => {
    const hls = systems.children[0]?.children[1] ?? assert.fail()
    assert.equal(textOf(document, hls), 'a–b<c>')
  })

  const PREFIXES: readonly (readonly [string, string, string | undefined])[] = [
    ['<a xmlns:p="u"><b/></a>', 'u', 'p'],
    ['<a xmlns="u"><b/></a>', 'u', ''],
    ['<a xmlns="u"><b xmlns="v"/></a>', 'u', undefined],
    ['<a xmlns:p="u"><b xmlns:p="v"/></a>', 'u', undefined],
    ['<a xmlns:p="u" xmlns:q="u"><b xmlns:p="v"/></a>', 'u', 'q'],
    ['<a xmlns:p="u"><b xmlns="u"/></a>', 'u', ''],
    ['<a><b/></a>', '', ''],
    ['<a xmlns="u"><b/></a>', '', undefined],
    ['<a xmlns="u"><b xmlns=""/></a>', '', ''],
    ['<a><b/></a>', XML_NAMESPACE, 'xml'],
    ['<a><b xmlns:p="u"/></a>', 'urn:none', undefined],
  ]
  for (const [xml, namespace, prefix] of PREFIXES) {
    test(`has ${prefix === undefined ? 'no prefix' : `the prefix "${prefix}"`} for "${namespace}" in ${xml}`, () => {
      assert.equal(prefixInScope(read(xml).root.children[0] ?? assert.fail(), namespace), prefix)
    })
  }
})
