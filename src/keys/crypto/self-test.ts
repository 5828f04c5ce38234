import { createSecretKey } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { type ContentKeyClass, toKid } from '../../formats/cenc.ts'
import { derivation } from './derive.ts'
import { rootSecretDerivation } from './root-secret.ts'
import { type SealContext, seal, unseal } from './seal.ts'

/** The two keys of one content and kid, computed with Python's hmac and hashlib (test/vectors/content-keys.json). They never change. */
const SECRET = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
const REF = { tenant: 'default', contentId: 'movie' }
const KID = '0294b959-9d75-5de2-bbf0-fdca3fa5eab7'
const DERIVED: readonly { contentKeyClass: ContentKeyClass; contentKey: string; explicitIv: string }[] = [
  {
    contentKeyClass: 'drm',
    contentKey: 'b5ef8f224ca123cc94e0c9b838226c49',
    explicitIv: '004215a1a94ffed03740718a06ce866e',
  },
  {
    contentKeyClass: 'clear',
    contentKey: 'bd242f571571e744135f9e14d22d31ff',
    explicitIv: 'f08e22e13463b391dadf8943d7c6056a',
  },
]

/** The kid of one track of that content, computed in the same way (test/vectors/derived-kids.json). */
const DERIVED_KID = '1c3c6b44-d095-c0c5-b2e4-068fef75dae3'

/** The key of that content and kid if its secret is derived from a root secret (test/vectors/derived-root.json). */
const ROOT_SECRET = '202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f'
const FROM_ROOT_SECRET = '71e88f769e4151d7e8a998f66be88eab'

/** The secret above, sealed with AESGCM of Python's cryptography package (test/vectors/seal.json). */
const DATA_KEY = '404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f'
const GENERATION = 7
const NONCE = 'a0a1a2a3a4a5a6a7a8a9aaab'
const SEALED =
  '0100000007a0a1a2a3a4a5a6a7a8a9aaabd78e043ce6ee9a2a71664bf585b13ef9ff06e7d4f87a933afac5f481f5df60e7bd9ea5529dc6557534688d0ee44bd8a4'

/** Throws ERR_SELF_TEST_FAILED unless derivation and sealing give their published results: an upgrade must not change a key. */
export function selfTestKeys(): void {
  const kid = toKid(KID)
  if (kid === undefined) throw failed('reading a kid')
  const { keyAndIv, kid: deriveKid } = derivation(createSecretKey(fromHex(SECRET)), REF)
  for (const { contentKeyClass, ...expected } of DERIVED) {
    const { contentKey, explicitIv } = keyAndIv(contentKeyClass, kid)
    if (toHex(contentKey) !== expected.contentKey) throw failed(`the derivation of a ${contentKeyClass} content key`)
    if (toHex(explicitIv) !== expected.explicitIv) throw failed(`the derivation of a ${contentKeyClass} IV`)
  }
  if (deriveKid('keyspring/widevine-kid/v1', ['SD', '']) !== DERIVED_KID) throw failed('the derivation of a kid')

  const fromRoot = rootSecretDerivation(fromHex(ROOT_SECRET))(REF).keyAndIv('drm', kid)
  if (toHex(fromRoot.contentKey) !== FROM_ROOT_SECRET) throw failed('the derivation from a root secret')

  const context: SealContext = { kind: 'content-secret', ref: REF }
  const key = createSecretKey(fromHex(DATA_KEY))
  const sealed = seal({ generation: GENERATION, key }, context, fromHex(SECRET), () => fromHex(NONCE))
  if (toHex(sealed) !== SEALED) throw failed('the sealing of a content secret')
  if (toHex(unseal(key, context, sealed)) !== SECRET) throw failed('the opening of a content secret')
}

function failed(what: string): KeyProviderError {
  return new KeyProviderError(
    'ERR_SELF_TEST_FAILED',
    `${what} does not give its known answer. Keys would change, so Keyspring does not start. ` +
      'Install this version again, on a supported Node.js.',
  )
}

const fromHex = (hex: string): Buffer => Buffer.from(hex, 'hex')
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
