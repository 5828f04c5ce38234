import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isChar } from '../../../src/formats/xml/characters.ts'
import { escapeAttribute, escapeText } from '../../../src/formats/xml/markup.ts'
import { attributeOf, readXml, textOf } from '../../../src/formats/xml/reader.ts'
import { bytesOf } from './sample.ts'

const anyText = fc
  .string({ unit: 'binary' })
  .filter((text) => [...text].every((character) => isChar(character.codePointAt(0) ?? 0)))
const special = fc.string({
  unit: fc.constantFrom('&', '<', '>', '"', "'", '\t', '\n', '\r', ']', ' ', 'é', '\u{1f511}'),
})

test('escapes what is markup, and white space where it would be normalized', () => {
  assert.equal(escapeText('a&b<c>d"e\'f\t\n\r]]>'), 'a&amp;b&lt;c&gt;d"e\'f\t\n&#13;]]&gt;')
  assert.equal(escapeAttribute('a&b<c>d"e\'f\t\n\r'), 'a&amp;b&lt;c&gt;d&quot;e&apos;f&#9;&#10;&#13;')
})

test('leaves text that needs nothing as it is', () => {
  for (const text of ['', 'AbC+/09==', 'é日本\u{1f511}', '#EXT-X-KEY:METHOD=SAMPLE-AES;,']) {
    assert.equal(escapeText(text), text)
    assert.equal(escapeAttribute(text), text)
  }
})

test('reading inverts escaping, in text and in values of both quotes', () => {
  fc.assert(
    fc.property(fc.oneof(anyText, special), (text) => {
      const value = escapeAttribute(text)
      const document = readXml(bytesOf(`<a b="${value}" c='${value}'>${escapeText(text)}</a>`))
      assert.equal(attributeOf(document.root, 'b'), text)
      assert.equal(attributeOf(document.root, 'c'), text)
      assert.equal(textOf(document, document.root), text)
    }),
  )
})

test('rejects characters that XML 1.0 does not allow, and lone surrogates', () => {
  for (const text of ['\0', 'a\u0001', '\u001f', '\ufffe', '\uffff', '\ud800', 'a\udc00b', '\udc00\ud800']) {
    assert.throws(() => escapeText(text), RangeError)
    assert.throws(() => escapeAttribute(text), RangeError)
  }
})
