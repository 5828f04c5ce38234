import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { concat, type Filling, fillText, holeOf, type Template } from '../../../src/core/template.ts'
import type { XmlDocument, XmlElement } from '../../../src/formats/xml/document.ts'
import {
  appendContent,
  applyEdits,
  type Edit,
  insertAfter,
  removeAttribute,
  removeElement,
  setAttribute,
  setContent,
} from '../../../src/formats/xml/edits.ts'
import { attributeOf, childOf, readXml, textOf } from '../../../src/formats/xml/reader.ts'
import { bytesOf, SAMPLE } from './sample.ts'

interface Named extends Filling {
  readonly value: string
}
const hole: Template<Named> = holeOf(4, ({ value }) => value)
const filling: Named = { memo: new Map(), value: 'KEY=' }

/** `xml` with the edits that `edit` makes for its root and the child `x`. */
function edited(xml: string, edit: (x: XmlElement, document: XmlDocument) => readonly Edit<Named>[]): string {
  const document = readXml(bytesOf(xml))
  const x = childOf(document.root, '', 'x') ?? document.root
  return fillText(applyEdits(document.source, edit(x, document)), filling)
}

describe('applyEdits', () => {
  const insert = (at: number, replacement: string): Edit<Named> => ({ start: at, end: at, replacement })

  test('gives the source where there is nothing to edit', () => {
    assert.deepEqual(applyEdits('<a/>', []), { text: '<a/>', holes: [] })
  })

  test('takes edits in any order and keeps the order of insertions at one place', () => {
    const edits = [
      insert(3, 'D'),
      insert(0, 'A'),
      { start: 1, end: 2, replacement: 'C' },
      insert(3, 'E'),
      insert(1, 'B'),
    ]
    assert.equal(fillText(applyEdits('012', edits), filling), 'A0BC2DE')
  })

  test('puts insertions before what replaces the text behind them, and behind what replaces the text before', () => {
    const edits = [{ start: 1, end: 2, replacement: 'R' }, insert(1, 'A'), insert(2, 'B')]
    assert.equal(fillText(applyEdits('012', edits), filling), '0ARB2')
  })

  test('moves the holes of every replacement to their place', () => {
    const edits = [
      { start: 4, end: 4, replacement: concat('[', hole, ']') },
      { start: 0, end: 2, replacement: hole },
    ]
    const { text, holes } = applyEdits('0123', edits)
    assert.equal(fillText({ text, holes }, filling), 'KEY=23[KEY=]')
    assert.deepEqual(
      holes.map(({ at }) => at),
      [0, 7],
    )
  })

  const BAD: readonly (readonly [string, readonly Edit<Named>[]])[] = [
    [
      'two that replace the same',
      [
        { start: 1, end: 2, replacement: '' },
        { start: 1, end: 2, replacement: '' },
      ],
    ],
    ['one inside another', [{ start: 0, end: 3, replacement: '' }, insert(1, '')]],
    [
      'two that share a character',
      [
        { start: 0, end: 2, replacement: '' },
        { start: 1, end: 3, replacement: '' },
      ],
    ],
    ['one that ends before it starts', [{ start: 2, end: 1, replacement: '' }]],
    ['one that starts before the source', [{ start: -1, end: 1, replacement: '' }]],
    ['one that ends behind the source', [{ start: 2, end: 4, replacement: '' }]],
  ]
  for (const [what, edits] of BAD) {
    test(`rejects ${what}`, () => assert.throws(() => applyEdits('012', edits), RangeError))
  }

  test('gives what editing from the back to the front gives', () => {
    const anyEdits = fc.array(fc.tuple(fc.nat(9), fc.nat(3), fc.string({ maxLength: 3 })), { maxLength: 8 })
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), anyEdits, fc.infiniteStream(fc.nat()), (source, parts, order) => {
        const edits: Edit<Named>[] = []
        let from = 0
        for (const [gap, length, replacement] of parts) {
          const start = from + gap
          if (start + length > source.length) break
          // A gap keeps insertions at one place apart: their order is another test's matter.
          edits.push({ start, end: start + length, replacement })
          from = start + length + 1
        }
        const expected = edits.reduceRight((text, { start, end, replacement }) => {
          return `${text.slice(0, start)}${String(replacement)}${text.slice(end)}`
        }, source)
        const shuffled = edits.map((edit) => [order.next().value ?? 0, edit] as const).sort(([a], [b]) => a - b)
        assert.equal(
          applyEdits(
            source,
            shuffled.map(([, edit]) => edit),
          ).text,
          expected,
        )
      }),
    )
  })
})

describe('setContent', () => {
  const SET: readonly (readonly [string, string, string])[] = [
    ['an empty element', '<a><x></x></a>', '<a><x>NEW</x></a>'],
    ['a self-closing element', '<a><x b="c" /></a>', '<a><x b="c" >NEW</x></a>'],
    ['a self-closing root', '<x/>', '<x>NEW</x>'],
    ['an element with text', '<a><x> old &amp; <![CDATA[<old>]]></x></a>', '<a><x>NEW</x></a>'],
    ['an element with child elements', '<a><x> <b><!-- b --></b> <b/> </x></a>', '<a><x>NEW</x></a>'],
    [
      'an element with comments, which stay',
      '<a><x>old<!-- > 1 --><![CDATA[<!-- no -->]]>old<!-->--><b><!-- no --></b></x></a>',
      '<a><x>NEW<!-- > 1 --><!-->--></x></a>',
    ],
  ]
  for (const [what, before, after] of SET) {
    test(`fills ${what}`, () =>
      assert.equal(
        edited(before, (x, document) => [setContent(document, x, 'NEW')]),
        after,
      ))
  }

  test('keeps the holes of what it sets, comments or not', () => {
    const set = (x: XmlElement, document: XmlDocument) => [setContent(document, x, concat('<k>', hole, '</k>'))]
    assert.equal(edited('<a><x><!-- c --></x></a>', set), '<a><x><k>KEY=</k><!-- c --></x></a>')
    assert.equal(edited('<a><x/></a>', set), '<a><x><k>KEY=</k></x></a>')
  })
})

describe('the other edits', () => {
  test('appendContent adds at the end, again and again, in self-closing elements too', () => {
    const twice = (x: XmlElement, document: XmlDocument) => [
      appendContent(document, x, '<b/>'),
      appendContent(document, x, hole),
    ]
    assert.equal(edited('<a><x>1</x></a>', twice), '<a><x>1<b/>KEY=</x></a>')
    assert.equal(edited('<a><x/>2</a>', twice), '<a><x><b/>KEY=</x>2</a>')
  })

  test('insertAfter adds behind the end tag', () => {
    const after = (x: XmlElement) => [insertAfter<Named>(x, '<b/>'), insertAfter(x, '<c/>')]
    assert.equal(edited('<a><x>1</x>2</a>', after), '<a><x>1</x><b/><c/>2</a>')
    assert.equal(edited('<a><x/></a>', after), '<a><x/><b/><c/></a>')
  })

  const REMOVED: readonly (readonly [string, string, string])[] = [
    ['with its line', '<a>\n  <x>1</x>\n  <b/>\n</a>', '<a>\n  <b/>\n</a>'],
    ['with its line, where lines end with \\r\\n', '<a>\r\n\t<x/>\r\n</a>', '<a>\r\n</a>'],
    ['with all its lines', '<a>\n  <x>\n    1\n  </x>\n</a>', '<a>\n</a>'],
    ['alone, where something stands behind it', '<a>\n  <x/><b/>\n</a>', '<a>\n  <b/>\n</a>'],
    ['alone, where something stands before it', '<a>\n  <b/> <x/>\n</a>', '<a>\n  <b/> \n</a>'],
    ['alone, where there are no lines', '<a><x/></a>', '<a></a>'],
  ]
  for (const [how, before, after] of REMOVED) {
    test(`removeElement removes an element ${how}`, () => {
      assert.equal(
        edited(before, (x, document) => [removeElement(document, x)]),
        after,
      )
    })
  }

  test('removeElement removes neighbours on lines of their own', () => {
    const all = ({ parent }: XmlElement, document: XmlDocument) =>
      (parent?.children ?? []).map((child) => removeElement<Named>(document, child))
    assert.equal(edited('<a>\n  <x/>\n\n  <y/>\n</a>', all), '<a>\n\n</a>')
  })

  test('setAttribute replaces a value in its quotes, or adds the attribute behind the last', () => {
    const set = (x: XmlElement) => [setAttribute<Named>(x, 'b', '"<&\'>\n')]
    const value = '&quot;&lt;&amp;&apos;&gt;&#10;'
    assert.equal(edited("<a><x c='' b = 'old' /></a>", set), `<a><x c='' b = '${value}' /></a>`)
    assert.equal(edited('<a><x c="" /></a>', set), `<a><x c="" b="${value}" /></a>`)
    assert.equal(edited('<a><x></x></a>', set), `<a><x b="${value}"></x></a>`)
  })

  test('setAttribute takes a value with holes, and names as written', () => {
    assert.equal(
      edited('<a><x/></a>', (x) => [setAttribute(x, 'iv', hole)]),
      '<a><x iv="KEY="/></a>',
    )
    const prefixed = (x: XmlElement) => [setAttribute<Named>(x, 'p:b', '1'), setAttribute<Named>(x, 'xmlns:p', 'u')]
    assert.equal(edited('<a><x b=""/></a>', prefixed), '<a><x b="" p:b="1" xmlns:p="u"/></a>')
  })

  test('setAttribute rejects invalid names and values', () => {
    const { root } = readXml(bytesOf('<a/>'))
    for (const name of ['', 'b c', 'b=', '1b', 'p:', ':b', 'p:1', 'p:q:b', 'b"']) {
      assert.throws(() => setAttribute(root, name, ''), RangeError)
    }
    assert.throws(() => setAttribute(root, 'b', '\0'), RangeError)
  })

  test('removeAttribute removes an attribute with the white space before it', () => {
    const remove = (x: XmlElement, document: XmlDocument) =>
      x.attributes.filter(({ name }) => name !== 'c').map((attribute) => removeAttribute<Named>(document, attribute))
    assert.equal(edited('<a><x b=""\n  c="1" d=\'\' /></a>', remove), '<a><x\n  c="1" /></a>')
    assert.equal(edited('<a><x b=""/></a>', remove), '<a><x/></a>')
  })

  test('many edits of one element go together, in any order', () => {
    const edits = (x: XmlElement, document: XmlDocument): Edit<Named>[] => [
      insertAfter(x, '<after/>'),
      appendContent(document, x, '<last/>'),
      setAttribute(x, 'c', '2'),
      setContent(document, x, 'text'),
      setAttribute(x, 'd', '3'),
      ...x.attributes
        .filter(({ name }) => name === 'b')
        .map((attribute) => removeAttribute<Named>(document, attribute)),
    ]
    assert.equal(edited('<a><x/></a>', edits), '<a><x c="2" d="3"><last/>text</x><after/></a>')
    assert.equal(edited('<a><x b=""/></a>', edits), '<a><x c="2" d="3"><last/>text</x><after/></a>')
    assert.equal(edited('<a><x b="" c=""></x></a>', edits), '<a><x c="2" d="3"><last/>text</x><after/></a>')
  })
})

test('what is edited is read again as it was meant, and all else stays as it was', () => {
  const document = readXml(bytesOf(SAMPLE))
  const leaves = (element: XmlElement): XmlElement[] =>
    element.children.length === 0 ? [element] : element.children.flatMap(leaves)
  const edits = leaves(document.root).flatMap((leaf) => [
    setContent<Named>(document, leaf, concat('«', hole, '»')),
    setAttribute<Named>(leaf, 'playlist', 'a&b'),
  ])
  const answer = readXml(bytesOf(fillText(applyEdits(document.source, edits), filling)))
  for (const leaf of leaves(answer.root)) {
    assert.equal(textOf(answer, leaf), '«KEY=»')
    assert.equal(attributeOf(leaf, 'playlist'), 'a&b')
  }
  assert.match(
    answer.source,
    /^<\?xml version="1.0" encoding="UTF-8"\?>\n<!-- live channel -->\n<cpix:CPIX contentId="köln &amp; 東京" version='2.3'/,
  )
})
