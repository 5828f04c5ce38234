import assert from 'node:assert/strict'
import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { verifySignedUrl } from '../../../src/auth/players/signed-url.ts'
import { createPlayerTokens } from '../../../src/auth/players/token.ts'
import { toKid } from '../../../src/formats/cenc.ts'
import { run, temporaryDirectory } from '../run.ts'

const directory = temporaryDirectory()
const SECRET = randomBytes(32).toString('hex')
const KID = toKid('a86b3d17-50e2-4f94-b7c1-2d9e6f0a8b31') ?? assert.fail()
const key = createSecretKey(Buffer.from(SECRET))

describe('keyspring token mint', () => {
  const environment = { KEYSPRING_PLAYBACK_ACCESS: 'jwt', KEYSPRING_PLAYBACK_JWT_SECRET: SECRET }

  test('prints a token that a server with the same configuration accepts', async () => {
    const args = ['--content-id', 'movie-*', 'trailer', '--kid', KID, '--subject', 'viewer', '--ttl', '10m']
    const { code, stdout } = await run(['token', 'mint', ...args], { environment })
    assert.equal(code, 0)
    const tokens = createPlayerTokens({ keys: [{ id: 'secret', algorithm: 'HS256', key }], now: () => Date.now() })
    const { expiresAt, ...grant } = await tokens.verify(stdout.trim())
    assert.deepEqual(grant, { tenant: 'default', contentIds: ['movie-*', 'trailer'], kids: [KID], subject: 'viewer' })
    assert.ok(Math.abs(expiresAt - Date.now() - 600_000) < 60_000)
  })

  test('signs with a private key in PEM or in a key set', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const [pem, set] = [join(directory, 'key.pem'), join(directory, 'keys.json')]
    writeFileSync(pem, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    writeFileSync(set, JSON.stringify({ keys: [{ ...privateKey.export({ format: 'jwk' }), kid: '2026' }] }))
    const tokens = createPlayerTokens({
      keys: [{ id: '2026', algorithm: 'EdDSA', key: publicKey }],
      now: () => Date.now(),
    })
    for (const file of [
      ['--key-file', pem, '--key-id', '2026'],
      ['--key-file', set],
    ]) {
      const { stdout } = await run(['token', 'mint', '--content-id', 'movie', ...file])
      assert.deepEqual((await tokens.verify(stdout.trim())).contentIds, ['movie'])
    }
  })

  for (const [args, hint, settings] of [
    [['--content-id', 'movie'], /give --key-file/, {}],
    [['--content-id', 'movie', '--ttl', 'soon'], /--ttl: expected a time/, environment],
    [['--content-id', 'movie', '--kid', 'x'], /--kid: expected a UUID/, environment],
  ] as const) {
    test(`ends with 2 for ${args.slice(2).join(' ') || 'no key'}`, async () => {
      const { code, stderr } = await run(['token', 'mint', ...args], { environment: settings })
      assert.equal(code, 2)
      assert.match(stderr, hint)
    })
  }
})

describe('keyspring token sign-url', () => {
  const environment = {
    KEYSPRING_PLAYBACK_ACCESS: 'signed-url',
    KEYSPRING_PLAYBACK_SIGNED_URL_SECRET: SECRET,
    KEYSPRING_PUBLIC_URL: 'https://keys.example.com',
  }
  const ref = { tenant: 'default', contentId: 'movie' }

  for (const [what, args, path, kid] of [
    ['a key', ['--kid', KID], `/keys/default/movie/${KID}`, KID],
    ['licences', ['--license'], '/license/clearkey/default/movie', undefined],
  ] as const) {
    test(`prints the URL of ${what} with a signature that opens it`, async () => {
      const { stdout } = await run(['token', 'sign-url', '--content-id', 'movie', ...args], { environment })
      const url = new URL(stdout.trim())
      assert.equal(`${url.origin}${url.pathname}`, `https://keys.example.com${path}`)
      verifySignedUrl(new Map([['secret', key]]), { ...ref, kid }, url.searchParams, Date.now())
    })
  }

  test('ends with 2 if the configuration signs no URLs', async () => {
    const { code, stderr } = await run(['token', 'sign-url', '--content-id', 'movie', '--license'])
    assert.equal(code, 2)
    assert.match(stderr, /signs no URLs/)
  })
})
