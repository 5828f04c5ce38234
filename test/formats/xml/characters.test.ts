import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FORBIDDEN, isChar, isNameChar, isNameStart, nameEnd } from '../../../src/formats/xml/characters.ts'

// As published, but for the colon: a name start has none here, and a name character has one.
const CHAR = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]$/u
const NAME_START =
  /^[A-Z_a-z\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{2FF}\u{370}-\u{37D}\u{37F}-\u{1FFF}\u{200C}-\u{200D}\u{2070}-\u{218F}\u{2C00}-\u{2FEF}\u{3001}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{EFFFF}]$/u
const NAME_ONLY = /^(?:[-.:0-9\u{B7}\u{203F}-\u{2040}]|[\u{300}-\u{36F}])$/u

test('knows the characters of every code point (https://www.w3.org/TR/xml/, productions 2, 4 and 4a)', () => {
  for (let code = 0; code <= 0x10ffff; code++) {
    const character = String.fromCodePoint(code)
    const starts = NAME_START.test(character)
    const isName = starts || NAME_ONLY.test(character)
    const where = `U+${code.toString(16)}`
    if (isChar(code) !== CHAR.test(character)) assert.fail(`Char: ${where}`)
    if (isNameStart(code) !== starts) assert.fail(`NameStartChar: ${where}`)
    if (isNameChar(code) !== isName) assert.fail(`NameChar: ${where}`)
    if (nameEnd(character, 0) !== (isName ? character.length : 0)) assert.fail(`name: ${where}`)
    const isSurrogate = code >= 0xd800 && code <= 0xdfff
    if (!isSurrogate && FORBIDDEN.test(character) === isChar(code)) assert.fail(`forbidden: ${where}`)
  }
})
