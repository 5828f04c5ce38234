import assert from 'node:assert/strict'
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Running, run, startProcess, temporaryDirectory } from './cli/run.ts'
import { KIDS, PLAYREADY, requestFor, WIDEVINE } from './protocols/speke/documents.ts'

/** Everything the product writes or says, but for the answers themselves, is searched for every key it handled. */

const directory = temporaryDirectory()
const data = join(directory, 'data')
const running: Running[] = []
after(() => {
  for (const one of running) one.signal('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

/** A secret in every spelling in which it could be written down. */
function spellings(secret: Uint8Array): readonly (readonly [spelling: string, bytes: Buffer])[] {
  const bytes = Buffer.from(secret)
  return [
    ['raw', bytes],
    ['hex', Buffer.from(bytes.toString('hex'))],
    ['upper-case hex', Buffer.from(bytes.toString('hex').toUpperCase())],
    ['base64', Buffer.from(bytes.toString('base64'))],
    ['base64 without padding', Buffer.from(bytes.toString('base64').replace(/=+$/, ''))],
    ['base64url', Buffer.from(bytes.toString('base64url'))],
  ]
}

function assertNowhere(secrets: readonly Uint8Array[], places: ReadonlyMap<string, Buffer>): void {
  for (const [place, bytes] of places) {
    for (const secret of secrets) {
      for (const [spelling, written] of spellings(secret)) {
        assert.equal(bytes.indexOf(written), -1, `${place} holds a secret in ${spelling}`)
      }
    }
  }
}

function filesOf(root: string): Map<string, Buffer> {
  const names = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(names.map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name))]))
}

const keysIn = (answer: string): Buffer[] =>
  [...answer.matchAll(/PlainValue>([^<]+)</g)].map(([, key = '']) => Buffer.from(key, 'base64'))
const ivsIn = (xml: string): Buffer[] =>
  [...xml.matchAll(/explicitIV="([^"]+)"/g)].map(([, iv = '']) => Buffer.from(iv, 'base64'))

test('no key reaches the data directory, the output, the log, the metrics or an error', async () => {
  const imported = randomBytes(16)
  const importedIv = randomBytes(16)
  writeFileSync(join(directory, 'key'), imported.toString('hex'))
  writeFileSync(join(directory, 'iv'), importedIv.toString('base64'))
  const override = ['--content-id', 'imported', '--kid', KIDS[0], '--data', data]
  const added = await run([
    'override',
    'add',
    ...override,
    '--key-file',
    join(directory, 'key'),
    '--iv-file',
    join(directory, 'iv'),
  ])
  assert.equal(added.code, 0, added.stderr)
  const listed = await run(['override', 'list', '--content-id', 'imported', '--data', data, '--json'])

  const server = startProcess(['serve', '--port', '0', '--data', data, '--log-requests'], {
    environment: { KEYSPRING_LOG_LEVEL: 'debug' },
  })
  running.push(server)
  const [, url = ''] = await server.stderr(/listens on (\S+),/)
  const said = new Map<string, Buffer>()
  const post = async (xml: string, version = '2.0'): Promise<{ readonly status: number; readonly text: string }> => {
    const response = await fetch(`${url}/copyProtection`, {
      method: 'POST',
      headers: { 'content-type': 'application/xml', 'x-speke-version': version },
      body: xml,
    })
    const text = await response.text()
    const head = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n')
    said.set(`headers ${said.size}`, Buffer.from(head))
    if (response.status !== 200) said.set(`error ${said.size}`, Buffer.from(text))
    return { status: response.status, text }
  }

  const issued: Buffer[] = [imported]
  const kids = KIDS.slice(0, 4)
  for (const contentId of ['imported', 'film', 'film', 'series']) {
    for (const [scheme, systems] of [
      ['cenc', [WIDEVINE, PLAYREADY]],
      ['cbcs', [WIDEVINE, PLAYREADY]],
    ] as const) {
      const { status, text } = await post(requestFor({ kids, scheme, systems, contentId }))
      assert.equal(status, 200, text)
      issued.push(...keysIn(text))
    }
  }
  assert.ok(
    issued.some((key, i) => i > 0 && key.equals(imported)),
    'the imported key was issued',
  )

  // Requests that hold keys and IVs of their own, each refused.
  const sent = randomBytes(16)
  const secret = sent.toString('base64')
  const holds = `<cpix:ContentKey kid="${KIDS[0]}" commonEncryptionScheme="cenc"><cpix:Data><pskc:Secret><pskc:PlainValue>${secret}</pskc:PlainValue></pskc:Secret></cpix:Data></cpix:ContentKey>`
  const refused = [
    requestFor({}, { contentKeys: holds }),
    requestFor({}, { contentKeys: `<cpix:ContentKey kid="${secret}" commonEncryptionScheme="cenc"/>` }),
    requestFor({}, { contentKeys: `<cpix:ContentKey kid="${KIDS[0]}" commonEncryptionScheme="${secret}"/>` }),
    requestFor(
      {},
      {
        contentKeys: `<cpix:ContentKey kid="${KIDS[0]}" commonEncryptionScheme="cenc" explicitIV="${secret}${secret}"/>`,
      },
    ),
    requestFor(
      {},
      { deliveryData: `<cpix:DeliveryData><cpix:DeliveryKey>${secret}</cpix:DeliveryKey></cpix:DeliveryData>` },
    ),
    `${holds}${requestFor()}`,
    requestFor().replace('<cpix:PSSH/>', `<cpix:PSSH>${secret}`),
    requestFor({}, { root: `contentId="movie" version="${secret}"` }),
  ]
  for (const xml of refused) {
    const { status } = await post(xml)
    assert.ok(status >= 400 && status < 500, `${status}`)
  }

  said.set('metrics', Buffer.from(await (await fetch(`${url}/metrics`)).text()))
  const whileRunning = filesOf(data)
  server.signal('SIGTERM')
  const ended = await server.done
  assert.equal(ended.code, 0)
  said.set('standard output', Buffer.from(ended.stdout + added.stdout + listed.stdout))
  said.set('standard error', Buffer.from(ended.stderr + added.stderr + listed.stderr))

  assertNowhere([...issued, importedIv, sent], whileRunning)
  assertNowhere([...issued, importedIv, sent], filesOf(data))
  assertNowhere([...issued, importedIv, sent], said)
  const rootKey = Buffer.from(
    /([A-Za-z0-9+/]{43}=)\s*$/.exec(readFileSync(join(data, 'root.key'), 'utf8').trim())?.[1] ?? '',
    'base64',
  )
  assert.equal(rootKey.length, 32)
  assertNowhere([rootKey], new Map([...filesOf(data)].filter(([name]) => name !== 'root.key')))
  assertNowhere([rootKey], said)
})

/** The ways in which an IV would reveal its key, or be predictable from it. */
const RELATIONS: Readonly<Record<string, (key: Buffer) => Buffer>> = {
  'the key itself': (key) => key,
  'the key reversed': (key) => Buffer.from(key).reverse(),
  'the key inverted': (key) => Buffer.from(key.map((byte) => byte ^ 0xff)),
  'the key encrypted with itself': (key) => aesBlock(key, key),
  'zeros encrypted with the key': (key) => aesBlock(key, Buffer.alloc(16)),
  'the hash of the key': (key) => createHash('sha256').update(key).digest().subarray(0, 16),
}

function aesBlock(key: Buffer, block: Buffer): Buffer {
  return createCipheriv('aes-128-ecb', key, null).update(block)
}

function relationOf(iv: Buffer, key: Buffer): string | undefined {
  return Object.entries(RELATIONS).find(([, computed]) => computed(key).equals(iv))?.[0]
}

test('an IV is never a key, for any content key of the answers', async () => {
  const server = startProcess(['serve', '--port', '0', '--data', join(directory, 'ivs')], {
    environment: { KEYSPRING_SIGNALING_PROFILE: 'mediapackage-v2' },
  })
  running.push(server)
  const [, url = ''] = await server.stderr(/listens on (\S+),/)
  const response = await fetch(`${url}/copyProtection`, {
    method: 'POST',
    headers: { 'x-speke-version': '2.0', 'content-type': 'application/xml' },
    body: requestFor(
      { kids: KIDS.slice(0, 8), rules: '' },
      {
        rules: KIDS.slice(0, 8)
          .map(
            (kid, i) =>
              `<cpix:ContentKeyUsageRule kid="${kid}" intendedTrackType="T${i}"><cpix:VideoFilter/></cpix:ContentKeyUsageRule>`,
          )
          .join(''),
      },
    ),
  })
  const text = await response.text()
  assert.equal(response.status, 200, text)
  const keys = keysIn(text)
  const ivs = ivsIn(text)
  assert.deepEqual([keys.length, ivs.length], [8, 8])
  assert.equal(new Set([...keys, ...ivs].map((bytes) => bytes.toString('hex'))).size, 16)
  for (const iv of ivs) for (const key of keys) assert.equal(relationOf(iv, key), undefined)
  // The check finds each relation in an IV that was made by it.
  for (const [name, computed] of Object.entries(RELATIONS)) {
    for (const key of keys) assert.equal(relationOf(computed(key), key), name)
  }
  server.signal('SIGTERM')
  assert.equal((await server.done).code, 0)
})
