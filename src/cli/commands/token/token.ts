import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { signUrl } from '../../../auth/players/signed-url.ts'
import { mintPlayerToken, type PlayerTokenKey } from '../../../auth/players/token.ts'
import { KeyProviderError } from '../../../core/errors.ts'
import { type Kid, toKid } from '../../../formats/cenc.ts'
import { PlayerUrls } from '../../../protocols/speke/urls.ts'
import { type Config, readConfig } from '../../../server/config/config.ts'
import { readKeySetFile, signingKeys } from '../../../server/config/key-sets.ts'

/** The options that both commands take. */
interface TokenOptions {
  readonly tenant: string
  readonly ttl: string
  readonly config?: string
  readonly keyId?: string
}

interface MintOptions extends TokenOptions {
  readonly contentId: readonly string[]
  readonly kid?: readonly string[]
  readonly subject?: string
  readonly keyFile?: string
}

interface SignUrlOptions extends TokenOptions {
  readonly contentId: string
  readonly kid?: string
  readonly license?: boolean
}

/** Prints a token that lets its bearer have the keys of contents. */
export async function mint(options: MintOptions): Promise<void> {
  const config = readTokenConfig(options)
  const now = Date.now()
  const { contentId: contentIds, tenant, subject, kid } = options
  const kids = kid?.map(readKid)
  const grant = { tenant, contentIds, kids, subject, expiresAt: now + readTtl(options) }
  const audience = config.playback.access.kind === 'jwt' ? config.playback.access.audience : undefined
  print(await mintPlayerToken(mintingKey(config, options), grant, now, audience))
}

/** Prints the URL of a key, or of the licences of a content, signed. */
export function signedUrl(options: SignUrlOptions): void {
  const { contentId, tenant, kid, license = false } = options
  if ((kid === undefined) !== license) throw wrongUsage('expected --kid for the URL of a key, or --license')
  const config = readTokenConfig(options)
  const ref = { tenant, contentId }
  const urls = new PlayerUrls(config.publicUrl ?? `http://${config.host}:${config.port}`)
  const target = kid === undefined ? ref : { ...ref, kid: readKid(kid) }
  const url = target === ref ? urls.clearKeyLicenseUrl(ref) : urls.keyUrl(ref, readKid(kid ?? ''))
  print(`${url}?${signUrl(signingKey(config, options), target, Date.now() + readTtl(options))}`)
}

function readTokenConfig({ config: file }: TokenOptions): Config {
  return readConfig({ file, environment: process.env, serves: false })
}

/** The key of --key-file, or the secret of the configuration that the server checks by too. */
function mintingKey({ playback: { access } }: Config, { keyFile, keyId }: MintOptions): PlayerTokenKey {
  const known = keyFile === undefined ? (access.kind === 'jwt' ? access.keys.reveal() : []) : readKeys(keyFile, keyId)
  const found = known.find(({ id, key }) => key.type !== 'public' && (keyId === undefined || id === keyId))
  if (found !== undefined) return found
  throw wrongUsage(
    keyFile === undefined
      ? 'the configuration has no secret to sign with (playback.jwt.secret): expected --key-file'
      : '--key-file: expected a private key, or a key set with one',
  )
}

/** The keys of a file: a key set, or one private key in PEM, whose id is --key-id. */
function readKeys(file: string, keyId: string | undefined): readonly PlayerTokenKey[] {
  const text = readFileSync(file, 'utf8')
  if (text.trimStart().startsWith('{')) return signingKeys(readKeySetFile(text))
  if (keyId === undefined) throw wrongUsage('--key-id: expected the kid that the server knows this key by')
  let key: KeyObject
  try {
    key = createPrivateKey(text)
  } catch {
    // The cause may quote the file.
    throw wrongUsage('--key-file: expected a private key in PEM, or a key set (JWKS)')
  }
  const algorithm = ALGORITHMS[key.asymmetricKeyType ?? '']
  if (algorithm === undefined) throw wrongUsage('--key-file: expected an Ed25519 or RSA key')
  return [{ id: keyId, algorithm, key }]
}

const ALGORITHMS: Readonly<Record<string, PlayerTokenKey['algorithm']>> = { ed25519: 'EdDSA', rsa: 'RS256' }

function signingKey({ playback: { access } }: Config, { keyId }: SignUrlOptions) {
  const keys = access.kind === 'signed-url' ? [...access.keys.reveal()] : []
  const found = keys.find(([id]) => keyId === undefined || id === keyId)
  if (found !== undefined) return { id: found[0], key: found[1] }
  throw wrongUsage(
    keyId === undefined
      ? 'the configuration signs no URLs: expected playback.access: signed-url with playback.signedUrl'
      : '--key-id: no key of playback.signedUrl has this id',
  )
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function readTtl({ ttl }: TokenOptions): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(ttl) ?? []
  const ms = Number(count) * (UNIT_MS[unit] ?? 0)
  if (ms > 0) return ms
  throw wrongUsage('--ttl: expected a time such as 30s, 10m, 6h or 1d')
}

function readKid(text: string): Kid {
  const kid = toKid(text)
  if (kid === undefined) throw wrongUsage('--kid: expected a UUID')
  return kid
}

function wrongUsage(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_CONFIG_INVALID', problem)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
