import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  BOOLEAN,
  COUNT,
  DATE_TIME,
  DURATION_SECONDS,
  type FieldType,
  KID,
  SIXTEEN_BYTES,
  SYSTEM_ID,
} from '../../../src/formats/cpix/fields.ts'

const LONG = 200_000
const PROTOTYPE_NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']

interface Table<T> {
  readonly name: string
  readonly type: FieldType<T>
  readonly reads: readonly (readonly [text: string, value: T])[]
  readonly refuses: readonly string[]
}

function table<T>({ name, type, reads, refuses }: Table<T>): void {
  describe(`a field of type ${name}`, () => {
    for (const [text, value] of reads) {
      test(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(type.read(text), value))
    }
    for (const text of ['', ' ', 'NaN', 'Infinity', 'null', ...PROTOTYPE_NAMES, ...refuses]) {
      test(`rejects ${JSON.stringify(text.slice(0, 40))}`, () => assert.equal(type.read(text), undefined))
    }
    test('does not read a text of 200 000 characters as anything but what it is', () => {
      for (const text of [' ', 'A', '=', 'P', '-', '1', 'T', 'x'].map((character) => character.repeat(LONG))) {
        const value = type.read(`${text}!`)
        assert.equal(value, undefined)
      }
    })
  })
}

const LOWER = '9eb4050d-e44b-4802-932e-27d75083e266'

table({
  name: 'kid (UUID pattern, cpix.md 3.8)',
  type: KID as FieldType<string>,
  reads: [
    [LOWER, LOWER],
    [LOWER.toUpperCase(), LOWER],
    ['9EB4050d-e44b-4802-932E-27d75083e266', LOWER],
    ['ffffffff-ffff-ffff-ffff-ffffffffffff', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  ],
  refuses: [
    '00000000-0000-0000-0000-000000000000',
    ` ${LOWER}`,
    `${LOWER} `,
    `${LOWER}\n`,
    `{${LOWER}}`,
    `urn:uuid:${LOWER}`,
    LOWER.replaceAll('-', ''),
    LOWER.slice(1),
    `${LOWER}0`,
    LOWER.replace('9', 'g'),
    '９eb4050d-e44b-4802-932e-27d75083e266',
  ],
})

table({
  name: 'system id',
  type: SYSTEM_ID as FieldType<string>,
  reads: [
    ['edef8ba9-79d6-4ace-a3c8-27dcd51d21ed', 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'],
    ['EDEF8BA9-79D6-4ACE-A3C8-27DCD51D21ED', 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'],
  ],
  refuses: ['urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed', 'widevine'],
})

table({
  name: 'xs:boolean',
  type: BOOLEAN,
  reads: [
    ['true', true],
    ['false', false],
    ['1', true],
    ['0', false],
    [' true ', true],
    ['\t0\n', false],
  ],
  refuses: ['TRUE', 'True', 'yes', 'no', '2', '01', '10', 'true false', '\u00a0true'],
})

const NUMBERS = {
  reads: [
    ['0', 0],
    ['-0', 0],
    ['+7', 7],
    ['007', 7],
    [' 589824 ', 589_824],
    ['4294967295', 4_294_967_295],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    [`${'0'.repeat(40)}5`, 5],
  ],
  refuses: ['-1', '1.0', '1e3', '0x10', '1 2', '+', '+-1', '１', '1_000', '\u00a01'],
} as const

table({
  name: 'count (xs:integer, 0 or more, clamped as cpix.md 3.8 says)',
  type: COUNT,
  reads: [
    ...NUMBERS.reads,
    ['9007199254740993', Number.MAX_SAFE_INTEGER],
    ['18446744073709551615', Number.MAX_SAFE_INTEGER],
    ['9'.repeat(400), Number.MAX_SAFE_INTEGER],
  ],
  refuses: NUMBERS.refuses,
})

const SIXTEEN = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
table({
  name: 'base64 of 16 bytes (lenient, speke.md 5.3)',
  type: SIXTEEN_BYTES as FieldType<Uint8Array>,
  reads: [
    ['AAECAwQFBgcICQoLDA0ODw==', SIXTEEN],
    ['AAECAwQFBgcICQoLDA0ODw', SIXTEEN],
    [' AAECAwQFBgcI\n CQoLDA0ODw= =\t', SIXTEEN],
    // AWS's own samples: the last character has bits that stand for nothing.
    ['L6jzdXrXAFbCJGBuMrrKrG==', Buffer.from('2fa8f3757ad70056c224606e32bacaac', 'hex')],
    ['h3toSFIlyAYpfXVQ795m6x==', Buffer.from('877b68485225c806297d7550efde66eb', 'hex')],
  ],
  refuses: [
    'AAECAwQFBgcICQoLDA0O',
    'AAECAwQFBgcICQoLDA0ODxA=',
    'AAECAwQFBgcICQoLDA0ODw=',
    'AAECAwQFBgcICQoLDA0ODw===',
    'AAECAwQF-gcICQoLDA0ODw==',
    'AAECAwQF_gcICQoLDA0ODw==',
    'AAECAwQF*gcICQoLDA0ODw==',
    '000102030405060708090a0b0c0d0e0f',
    LOWER,
    'AAECAwQFBgcI\u00a0CQoLDA0ODw==',
  ],
})

const NOON = Date.UTC(2026, 9, 1, 12)
table({
  name: 'xs:dateTime',
  type: DATE_TIME,
  reads: [
    ['2026-10-01T12:00:00Z', NOON],
    ['2026-10-01T12:00:00', NOON],
    ['2026-10-01T14:00:00+02:00', NOON],
    ['2026-10-01T07:30:00-04:30', NOON],
    ['2026-10-02T02:00:00+14:00', NOON],
    ['2026-10-01T12:00:00.5Z', NOON + 500],
    ['2026-10-01T12:00:00.000000000Z', NOON],
    [`2026-10-01T12:00:00.${'0'.repeat(LONG)}Z`, NOON],
    ['2026-10-01T12:00:00.2500000000000Z', NOON + 250],
    ['2026-09-30T24:00:00Z', Date.UTC(2026, 9, 1)],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    [' 2026-10-01T12:00:00Z\n', NOON],
  ],
  refuses: [
    '2026-10-01',
    '12:00:00Z',
    '2026-10-01 12:00:00Z',
    '2026-10-01T12:00Z',
    '2026-10-01t12:00:00z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-10-00T00:00:00Z',
    '2026-10-01T25:00:00Z',
    '2026-10-01T24:00:01Z',
    '2026-10-01T12:60:00Z',
    '2026-10-01T12:00:60Z',
    '2026-10-01T12:00:00+14:01',
    '2026-10-01T12:00:00+0200',
    '2026-10-01T12:00:00.Z',
    '26-10-01T12:00:00Z',
    'Thu Oct 01 2026 12:00:00 GMT',
    '1790856000000',
  ],
})

table({
  name: 'xs:duration',
  type: DURATION_SECONDS,
  reads: [
    ['PT0S', 0],
    ['P0D', 0],
    ['PT10M', 600],
    ['PT1H', 3_600],
    ['P1D', 86_400],
    ['P1DT1S', 86_401],
    ['PT0.5S', 0.5],
    ['PT1M0.250S', 60.25],
    ['P1M', 30 * 86_400],
    ['P1Y', 365 * 86_400],
    ['P1Y2M3DT4H5M6S', (365 + 60 + 3) * 86_400 + 4 * 3_600 + 5 * 60 + 6],
    [' PT10M ', 600],
  ],
  refuses: [
    'P',
    'PT',
    'P1DT',
    '-PT1S',
    'P-1D',
    '+PT1S',
    '10M',
    'T10M',
    'PT10',
    'P10S',
    'PT1D',
    'P1H',
    'PT.5S',
    'PT1.S',
    'PT1.5M',
    'PT1S1M',
    'P1M1Y',
    'pt10m',
    'P1W',
    'PT1,5S',
    `PT${'9'.repeat(LONG)}S`,
    `P${'1Y'.repeat(1_000)}`,
  ],
})

test('a count that is written is read back', () => {
  fc.assert(fc.property(fc.nat(), (value) => assert.equal(COUNT.read(String(value)), value)))
})

test('a date that is written is read back', () => {
  const any = fc.date({ min: new Date(0), max: new Date(Date.UTC(9999, 11, 31)), noInvalidDate: true })
  fc.assert(fc.property(any, (date) => assert.equal(DATE_TIME.read(date.toISOString()), date.getTime())))
})

test('16 bytes that are written are read back, and no other number of bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const read = SIXTEEN_BYTES.read(Buffer.from(bytes).toString('base64'))
      assert.deepEqual(read && new Uint8Array(read), bytes.length === 16 ? bytes : undefined)
    }),
  )
})
