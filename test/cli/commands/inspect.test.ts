import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { wantsColours } from '../../../src/cli/shared/world.ts'
import { blocksOf, pageOf } from '../../docs/pages.ts'
import { certificateOf, rsaKeys } from '../../formats/cpix/certificates.ts'
import { answering, VECTOR_KEY, VECTOR_KID } from '../../protocols/speke/answering.ts'
import { requestFor } from '../../protocols/speke/documents.ts'
import { run, temporaryDirectory } from '../run.ts'

const PSSH = 'AAAANHBzc2gBAAAAEHfv7MCyTQKs4zweUuL7SwAAAAGetAUN5EtIApMuJ9dQg+JmAAAAAA=='
const directory = temporaryDirectory()
const { publicKey, privateKey } = rsaKeys(2048)
const certificate = certificateOf({ publicKey }).toString('base64')
const deliveryData = `<cpix:DeliveryData><cpix:DeliveryKey><ds:X509Data xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData>`

/** Writes a file for a test; its path. */
function write(name: string, content: string | Uint8Array): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

const clear = write('clear.xml', (await answering()('2.0', requestFor({ kids: [VECTOR_KID] }))).xml)
const encrypted = write(
  'encrypted.xml',
  (await answering()('2.0', requestFor({ kids: [VECTOR_KID] }, { deliveryData }))).xml,
)
const key = write('key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())

describe('keyspring inspect', () => {
  test('explains its argument, a file and standard input alike', async () => {
    const file = write('box.b64', PSSH)
    const [argument, ofFile, ofInput] = await Promise.all([
      run(['inspect', PSSH]),
      run(['inspect', file]),
      run(['inspect', '-'], { stdin: PSSH }),
    ])
    assert.equal(argument.code, 0, argument.stderr)
    assert.match(argument.stdout, /^pssh in base64\n0x00 \+52 .*\n.*version: 1/)
    assert.equal(ofFile.stdout, argument.stdout)
    assert.equal(ofInput.stdout, argument.stdout)
  })

  test('prints JSON', async () => {
    const { stdout } = await run(['inspect', PSSH, '--json'])
    const { kind, encodings, nodes } = JSON.parse(stdout)
    assert.deepEqual([kind, encodings, nodes[0].name], ['pssh', ['base64'], 'pssh'])
  })

  test('decrypts a document with --key, and prints keys only with --show-keys', async () => {
    const [hidden, shown] = await Promise.all([
      run(['inspect', encrypted, '--key', key]),
      run(['inspect', encrypted, '--key', key, '--show-keys']),
    ])
    assert.match(hidden.stdout, /ValueMAC: right/)
    for (const form of ['hex', 'base64', 'base64url'] as const)
      assert.ok(!hidden.stdout.includes(VECTOR_KEY.toString(form)))
    assert.ok(shown.stdout.includes(VECTOR_KEY.toString('hex')))
  })

  test('ends with 1 for damaged or unknown input', async () => {
    const damaged = await run(['inspect', PSSH.slice(0, 40)])
    assert.equal(damaged.code, 1)
    assert.match(damaged.stdout, /error: breaks at byte 0: box pssh says it has 52 bytes, 30 are there/)
    const unknown = await run(['inspect', '-'], { stdin: 'hello' })
    assert.equal(unknown.code, 1)
    assert.match(unknown.stdout, /is nothing that inspect knows/)
  })

  test('ends with 2 for an argument that is neither a file nor a known format, and for an invalid key', async () => {
    const [argument, pem, absent] = await Promise.all([
      run(['inspect', 'no-such-file.xml']),
      run(['inspect', encrypted, '--key', clear]),
      run(['inspect', encrypted, '--key', join(directory, 'absent.pem')]),
    ])
    assert.equal(argument.code, 2)
    assert.match(argument.stderr, /not an existing file/)
    assert.equal(pem.code, 2)
    assert.match(pem.stderr, /--key: .*clear\.xml: expected a private key in PEM/)
    assert.match(absent.stderr, /no such file/)
  })

  test('writes nothing', async () => {
    const before = readdirSync(directory).map((name) => [name, statSync(join(directory, name)).mtimeMs])
    await run(['inspect', clear])
    assert.deepEqual(
      readdirSync(directory).map((name) => [name, statSync(join(directory, name)).mtimeMs]),
      before,
    )
  })

  test('shows no escape codes when it does not write to a terminal', async () => {
    const { stdout } = await run(['inspect', clear], { environment: { CI: 'true', FORCE_COLOR: '1' } })
    assert.ok(!stdout.includes('\u001b'))
  })
})

describe('keyspring inspect diff', () => {
  test('ends with 0 for the same meaning, with 1 otherwise', async () => {
    const other = write('other.xml', readFileSync(clear, 'utf8').replace('contentId="movie"', 'contentId="film"'))
    const [same, differs, json] = await Promise.all([
      run(['inspect', 'diff', clear, clear]),
      run(['inspect', 'diff', clear, other]),
      run(['inspect', 'diff', clear, other, '--json']),
    ])
    assert.deepEqual([same.code, same.stdout], [0, 'both have the same meaning\n'])
    assert.deepEqual([differs.code, differs.stdout], [1, 'CPIX › contentId\n  - movie\n  + film\n'])
    assert.deepEqual(JSON.parse(json.stdout).differences[0].path, ['CPIX', 'contentId'])
  })

  test('compares encrypted keys with the private key, given before or after "diff"', async () => {
    for (const args of [
      ['inspect', 'diff', encrypted, clear, '--key', key],
      ['inspect', '--key', key, 'diff', encrypted, clear],
    ]) {
      const { stdout } = await run(args)
      assert.doesNotMatch(stdout, /content key/)
      assert.match(stdout, /recipient \S+: only in first/)
    }
  })

  test('rejects input that is not CPIX', async () => {
    const { code, stderr } = await run(['inspect', 'diff', clear, write('box.b64', PSSH)])
    assert.equal(code, 1)
    assert.match(stderr, /the second document is not CPIX, but: pssh/)
  })
})

test('the guide shows what is printed', async () => {
  const blocks = blocksOf(pageOf('docs/guides/inspect-signalling.md'))
  const shown = blocks.flatMap(({ text }, i) => {
    const argument = /^npx keyspring inspect '?([^ '\n]{40,})'?\n$/.exec(text)?.[1]
    return argument === undefined ? [] : [{ argument, printed: blocks[i + 1]?.text }]
  })
  assert.equal(shown.length, 2)
  for (const { argument, printed } of shown) assert.equal((await run(['inspect', argument])).stdout, printed)
})

test('uses colours only on terminals that show them, and not with NO_COLOR', () => {
  assert.equal(wantsColours({ isTerminal: true }, { TERM: 'xterm' }), true)
  assert.equal(wantsColours({ isTerminal: true }, { NO_COLOR: '' }), true)
  assert.equal(wantsColours({ isTerminal: true }, { NO_COLOR: '1' }), false)
  assert.equal(wantsColours({ isTerminal: true }, { TERM: 'dumb' }), false)
  assert.equal(wantsColours({ isTerminal: false }, { FORCE_COLOR: '1', CI: 'true' }), false)
})
