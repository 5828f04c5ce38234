import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { KeyProviderError } from '../src/core/errors.ts'
import { lintCpix } from '../src/exports/lint.ts'
import { readCpix } from '../src/formats/cpix/document.ts'
import { decodePlayReadyObject } from '../src/formats/drm/payloads/playready-object.ts'
import { decodePsshBoxes } from '../src/formats/drm/payloads/pssh.ts'
import { decodeWidevinePsshData } from '../src/formats/drm/payloads/widevine-pssh-data.ts'
import { readWrmHeader } from '../src/formats/drm/payloads/wrm-header.ts'
import { readXml } from '../src/formats/xml/reader.ts'
import { ImportDraft } from '../src/operations/import/draft.ts'
import { IMPORT_FORMATS } from '../src/operations/import/keys.ts'
import { readLicenseRequest } from '../src/protocols/playback/clearkey-license.ts'
import { readContentKeyRequest } from '../src/protocols/widevine/request.ts'
import { readAnswer } from '../src/toolkit/encryptor/answer/read.ts'
import { inspect } from '../src/toolkit/inspect/inspect.ts'
import { vectors } from './formats/drm/vectors.ts'
import { requestOf } from './toolkit/encryptor/asking.ts'

/** Everything that reads bytes from outside the process. */
const READERS: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  inspect: (bytes) => inspect(bytes),
  'lint of a request': (bytes) => lintCpix({ request: bytes }),
  'lint of an answer': (bytes) => lintCpix({ answer: bytes }),
  'the answer of a key provider': (body) =>
    readAnswer(
      { status: 200, milliseconds: 0, headers: {}, body: Buffer.from(body.buffer, body.byteOffset, body.length) },
      requestOf(),
      undefined,
    ),
  'a request of the server': (bytes) => readCpix(readXml(bytes)),
  'a licence request': readLicenseRequest,
  'a Widevine request': readContentKeyRequest,
  'a PlayReady Object': decodePlayReadyObject,
  'a WRMHEADER': readWrmHeader,
  'pssh boxes': decodePsshBoxes,
  'Widevine pssh data': decodeWidevinePsshData,
  ...Object.fromEntries(
    [...IMPORT_FORMATS].map(([name, format]) => [
      `import of ${name}`,
      (bytes: Uint8Array) => format.read({ bytes, contentId: 'film' }, new ImportDraft({ contentKeyClass: 'drm' })),
    ]),
  ),
}

const [objectOfWrm = ''] = vectors<{ objects: { object: string }[] }>('playready.json').objects.map(
  ({ object }) => object,
)
const CASE = readFileSync(new URL('vectors/playready-utf16-odd-length.xml', import.meta.url))

/** A PlayReady Object of about 800 characters, with a byte too many. */
const object = (tail: number): Buffer => {
  const bytes = Buffer.concat([Buffer.from(objectOfWrm, 'base64'), Buffer.alloc(tail, 0x20)])
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt16LE(bytes.length - 10, 8)
  return bytes
}

/** The same bytes in each of the forms in which a reader meets them. */
function formsOf(bytes: Buffer): readonly Buffer[] {
  const base64 = bytes.toString('base64')
  const fragment = Buffer.from(`<pro xmlns="urn:microsoft:playready">${base64}</pro>`).toString('base64')
  const document = (element: string, text: string): string =>
    CASE.toString().replace(
      /<cpix:ContentProtectionData>[^<]*<\/cpix:ContentProtectionData>/,
      `<cpix:${element}>${text}</cpix:${element}>`,
    )
  return [
    bytes,
    Buffer.from(base64),
    Buffer.from(bytes.toString('hex')),
    Buffer.from(document('ContentProtectionData', fragment)),
    Buffer.from(document('PSSH', base64)),
    Buffer.from(document('SmoothStreamingProtectionHeaderData', base64)),
  ]
}

/** A copy that starts at an odd address. */
function atOddAddress(bytes: Buffer): Uint8Array {
  const copy = new Uint8Array(bytes.length + 1)
  copy.set(bytes, 1)
  return copy.subarray(1)
}

for (const [name, read] of Object.entries(READERS)) {
  test(`bytes at an odd address, and an odd number of them, do not end the process: ${name}`, async () => {
    const attempt = async (bytes: Buffer): Promise<void> => {
      try {
        await read(atOddAddress(bytes))
      } catch (error) {
        assert.ok(error instanceof KeyProviderError, String(error))
      }
    }
    await attempt(CASE)
    await fc.assert(
      fc.asyncProperty(fc.nat(900), fc.uint8Array({ maxLength: 8 }), async (length, start) => {
        for (const form of formsOf(object(length))) await attempt(form)
        await attempt(Buffer.concat([start, object(length)]))
        await attempt(Buffer.from(`${'<WRMHEADER '.repeat(length)}`, 'utf16le').subarray(length % 2))
      }),
      { numRuns: 25 },
    )
  })
}
