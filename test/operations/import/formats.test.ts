import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { exportKeys } from '../../../src/operations/export/keys.ts'
import { importKeys, type KeyImport } from '../../../src/operations/import/keys.ts'
import { documentToSign, newSigner, signedXml } from '../../formats/cpix/signing.ts'
import { managing, OPERATOR } from '../managing.ts'

const KID = '3f1c9a52-6b0e-4d87-9c34-1e5a70b2d801'
const KID_2 = '3f1c9a52-6b0e-4d87-9c34-1e5a70b2d802'
const HEX_KID = KID.replaceAll('-', '')
const HEX_KID_2 = KID_2.replaceAll('-', '')
const KEY = '000102030405060708090a0b0c0d0e0f'
const KEY_2 = '101112131415161718191a1b1c1d1e1f'
const IV = 'a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'

/** Imports a text and reads its keys back as `KID KEY IV`. */
async function imported(format: string, text: string, options: Partial<KeyImport> = {}) {
  const { management } = managing()
  const wanted = { format, bytes: Buffer.from(text), contentId: 'movie', ...options }
  const report = await importKeys(management, OPERATOR, wanted)
  const contentId = report.keys[0]?.contentId ?? assert.fail('no key')
  const { bytes } = await exportKeys(management, OPERATOR, { contentId, format: 'json' })
  const { keys } = JSON.parse(Buffer.from(bytes).toString()) as { keys: { kid: string; key: string; iv?: string }[] }
  return { report, contentId, keys: keys.map(({ kid, key, iv = '-' }) => `${kid} ${key} ${iv}`).sort() }
}

async function problemOf(format: string, text: string, options: Partial<KeyImport> = {}): Promise<string> {
  const error: unknown = await imported(format, text, options).then(
    () => assert.fail('imported'),
    (caught: unknown) => caught,
  )
  assert.ok(error instanceof KeyProviderError)
  assert.doesNotMatch(error.message, /00010203|AAECAwQ|10111213/)
  return error.message
}

const base64url = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url')

describe('kids of 32 hex digits', () => {
  test('are accepted in CSV, with and without 0x', async () => {
    const text = `contentId,kid,key\nc1,${HEX_KID},${KEY}\nc1,0x${HEX_KID_2.toUpperCase()},0x${KEY_2}\n`
    const { keys } = await imported('csv', text, { contentId: undefined })
    assert.deepEqual(keys, [`${KID} ${KEY} -`, `${KID_2} ${KEY_2} -`])
  })

  test('are accepted in JSON and CPIX', async () => {
    const row = [{ kid: HEX_KID, key: KEY }]
    assert.deepEqual((await imported('json', JSON.stringify(row))).keys, [`${KID} ${KEY} -`])
    const { report } = await imported('cpix', documentToSign([HEX_KID]))
    assert.equal(report.keys[0]?.kid, KID)
  })
})

describe('a JWK set', () => {
  const set = (...keys: readonly object[]): string => JSON.stringify({ keys, type: 'temporary' })

  test('of a ClearKey licence brings its keys', async () => {
    const text = set(
      { kty: 'oct', kid: base64url(HEX_KID), k: base64url(KEY) },
      { kty: 'oct', kid: KID_2, k: base64url(KEY_2), alg: 'A128CTR' },
    )
    assert.deepEqual((await imported('jwk', text)).keys, [`${KID} ${KEY} -`, `${KID_2} ${KEY_2} -`])
  })

  test('needs a content, octet keys and 16 bytes', async () => {
    const good = { kty: 'oct', kid: base64url(HEX_KID), k: base64url(KEY) }
    assert.match(await problemOf('jwk', set(good), { contentId: undefined }), /keys\[0\]\.kid: .*--content-id/)
    assert.match(await problemOf('jwk', set({ ...good, kty: 'RSA' })), /keys\[0\]\.kty: expected oct/)
    assert.match(await problemOf('jwk', set({ ...good, k: 'AAECAw' })), /keys\[0\]\.k: expected 16 bytes/)
    assert.match(await problemOf('jwk', set({ ...good, kid: 'abc' })), /keys\[0\]\.kid: expected a UUID/)
    assert.match(await problemOf('jwk', '{}'), /"keys"/)
  })
})

describe('the key arguments of Shaka Packager', () => {
  const list = `label=SD:key_id=${HEX_KID}:key=${KEY},label=AUDIO:key_id=${HEX_KID_2}:key=${KEY_2}:iv=${IV}`
  const expected = [`${KID} ${KEY} -`, `${KID_2} ${KEY_2} ${IV}`]
  const texts: Readonly<Record<string, string>> = {
    'as the value of --keys': list,
    'on a command line': `packager 'in=v.mp4,stream=video,output=v.mp4' --enable_raw_key_encryption \\\n  --keys ${list} --mpd_output m.mpd`,
    'with an equals sign and quotes': `packager in=v.mp4 --keys="${list}"`,
    'in a flag file': `# keys\n--enable_raw_key_encryption\n--keys=${list}\n`,
  }
  for (const [name, text] of Object.entries(texts)) {
    test(`${name} bring their keys`, async () => {
      assert.deepEqual((await imported('shaka-packager', text)).keys, expected)
    })
  }

  test('with an IV of 8 bytes bring their key without it', async () => {
    const text = `--keys label=:key_id=${HEX_KID}:key=${KEY}:iv=0011223344556677`
    assert.deepEqual((await imported('shaka-packager', text)).keys, [`${KID} ${KEY} -`])
    assert.match(await problemOf('shaka-packager', text.slice(0, -2)), /--keys\[0\]\/iv: expected 16 bytes/)
  })

  test('without keys, with a short key or an unknown field are rejected', async () => {
    assert.match(
      await problemOf('shaka-packager', 'packager in=v.mp4'),
      /expected --keys label=LABEL:key_id=KID:key=KEY/,
    )
    assert.match(
      await problemOf('shaka-packager', `label=SD:key_id=${HEX_KID}:key=0001`),
      /--keys\[0\]\/key: expected 16/,
    )
    assert.match(
      await problemOf('shaka-packager', `label=SD:key_id=${HEX_KID}:key=${KEY}:${KEY}=1`),
      /only label, key_id/,
    )
  })
})

describe('the key arguments of Bento4', () => {
  const texts: Readonly<Record<string, string>> = {
    'of mp4dash': `mp4dash --encryption-key=${HEX_KID}:${KEY},${HEX_KID_2}:${KEY_2} v.mp4`,
    'of mp4decrypt': `mp4decrypt --key ${HEX_KID}:${KEY} --key ${HEX_KID_2}:${KEY_2} in.mp4 out.mp4`,
    'of mp4encrypt': `mp4encrypt --method MPEG-CENC --key 1:${KEY}:random --property 1:KID:${HEX_KID} --key 2:${KEY_2}:0011223344556677 --property 2:KID:${HEX_KID_2} in.mp4 out.mp4`,
  }
  for (const [name, text] of Object.entries(texts)) {
    test(`${name} bring their keys`, async () => {
      assert.deepEqual((await imported('bento4', text)).keys, [`${KID} ${KEY} -`, `${KID_2} ${KEY_2} -`])
    })
  }

  test('with an IV of 16 bytes bring it', async () => {
    assert.deepEqual((await imported('bento4', `--encryption-key ${HEX_KID}:${KEY}:${IV}`)).keys, [
      `${KID} ${KEY} ${IV}`,
    ])
  })

  test('of a track without a kid, or without keys, are rejected', async () => {
    assert.match(await problemOf('bento4', `--key 1:${KEY}:random`), /track 1 has no kid; add --property 1:KID:<kid>/)
    assert.match(await problemOf('bento4', 'mp4dash v.mp4'), /expected --encryption-key KID:KEY/)
  })
})

describe('a CPIX document from the field', () => {
  const withId = (attributes: string): string => documentToSign([KID]).replace('contentId="movie"', attributes)

  test('names its content in CPIX/@id', async () => {
    assert.equal((await imported('cpix', withId('id="film-1"'), { contentId: undefined })).contentId, 'film-1')
  })

  test('takes the content of the import before that of CPIX/@id', async () => {
    assert.equal((await imported('cpix', withId('id="film-1"'))).contentId, 'movie')
  })

  test('that names no content needs --content-id, and the problem says so', async () => {
    assert.match(await problemOf('cpix', withId(''), { contentId: undefined }), /CPIX\/@contentId: .*--content-id/)
  })

  test('with a key without Data brings the others, and a note', async () => {
    const xml = documentToSign([KID]).replace('</ContentKeyList>', `<ContentKey kid="${KID_2}"/></ContentKeyList>`)
    const { keys, report } = await imported('cpix', xml)
    assert.equal(keys.length, 1)
    assert.match(report.notes.join('\n'), /^CPIX\/ContentKeyList\/ContentKey\[2\]: skipped, because it has no Data/)
  })
})

describe('a signed CPIX document', () => {
  const signer = newSigner()
  const plain = documentToSign([KID])
  const signed = signedXml(plain, signer)
  const changed = signed.replace(/<pskc:PlainValue>../, '<pskc:PlainValue>AA')

  test('is imported, and the report names what was signed and the certificate', async () => {
    const { notes } = (await imported('cpix', signed)).report
    assert.match(notes.join('\n'), /^CPIX\/Signature: valid for CPIX, signed with .* SHA-256 fingerprint [0-9a-f]{64}/)
    const list = (await imported('cpix', signedXml(plain, signer, { ids: ['keys'] }))).report
    assert.match(list.notes.join('\n'), /valid for ContentKeyList/)
  })

  test('that was changed is rejected, and the problem names --ignore-signature', async () => {
    const problem = await problemOf('cpix', changed)
    assert.match(problem, /CPIX\/Signature: the XML signature is not valid: the signed elements were changed/)
    assert.match(problem, /--ignore-signature/)
  })

  test('that was changed is imported if signatures are ignored, and the report says so', async () => {
    const { notes } = (await imported('cpix', changed, { ignoreSignature: true })).report
    assert.deepEqual(notes, ['CPIX/Signature: not verified, because the import ignores signatures'])
  })
})

describe('a text that would take long to read', () => {
  const MEGABYTE = 1024 * 1024
  const texts: Readonly<Record<string, readonly [format: string, text: string]>> = {
    'deeply nested JSON': ['json', '['.repeat(MEGABYTE)],
    'an object with many members': ['json', `{${Array.from({ length: 80_000 }, (_, i) => `"m${i}":1`).join()}}`],
    'an array of many numbers': ['json', `[${'1,'.repeat(MEGABYTE / 2 - 2)}1]`],
    'a key with many members': ['json', `[{${Array.from({ length: 80_000 }, (_, i) => `"m${i}":1`).join()}}]`],
    'CSV of blank lines': ['csv', `contentId,kid,key\n${'\n'.repeat(MEGABYTE)}`],
    'CSV of blank lines with CRLF': ['csv', `contentId,kid,key\r\n${'\r\n'.repeat(MEGABYTE / 2)}`],
    'CSV with line breaks in a quoted field': ['csv', `contentId,kid,key\n"${'\n'.repeat(MEGABYTE)}",1,2\n`],
    'CSV with quotes in a quoted field': ['csv', `contentId,kid,key\n"${'""'.repeat(MEGABYTE / 2)}",1,2\n`],
    'CSV with a long field': ['csv', `contentId,kid,key\n${'x'.repeat(MEGABYTE)}\n`],
    'CSV of many fields': ['csv', `contentId,kid,key\n${','.repeat(MEGABYTE)}\n`],
  }
  for (const [name, [format, text]] of Object.entries(texts)) {
    test(`is rejected in less than 50 ms of the event loop: ${name}`, async () => {
      const { management } = managing()
      const bytes = Buffer.from(text)
      // The CPU time of this thread, so that a busy machine does not count; the best of three, without the first compilation.
      const times: number[] = []
      for (let round = 0; round < 3; round++) {
        const before = process.cpuUsage()
        await assert.rejects(importKeys(management, OPERATOR, { format, bytes, contentId: 'movie' }), {
          code: 'ERR_IMPORT_INVALID',
        })
        times.push(process.cpuUsage(before).user / 1_000)
      }
      assert.ok(Math.min(...times) < 50, `${times} ms`)
    })
  }
})

describe('CSV for spreadsheets', () => {
  for (const contentId of ['=HYPERLINK("http://x")', '+1', '-1', '@x', "'=1", "''+1", "'quoted'", 'plain', '\t=1']) {
    test(`exports ${JSON.stringify(contentId)} without a formula, and imports it again`, async () => {
      const { management } = managing()
      const row = JSON.stringify([{ contentId, kid: KID, key: KEY }])
      await importKeys(management, OPERATOR, { format: 'json', bytes: Buffer.from(row) })
      const { bytes } = await exportKeys(management, OPERATOR, { contentId, format: 'csv' })
      const [, line = ''] = Buffer.from(bytes).toString().split('\r\n')
      assert.doesNotMatch(line, /^"?[=+\-@\t\r]/)
      const again = await importKeys(management, OPERATOR, { format: 'csv', bytes: Buffer.from(bytes), dryRun: true })
      assert.deepEqual(
        again.keys.map((key) => [key.contentId, key.status]),
        [[contentId, 'same']],
      )
    })
  }
})
