import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { signUrl } from '../../auth/players/signed-url.ts'
import { mintPlayerToken, type PlayerTokenKey } from '../../auth/players/token.ts'
import { wrongUsage } from '../../core/errors.ts'
import { PlayerUrls } from '../../protocols/speke/urls.ts'
import { type Config, readConfig } from '../../server/config/config.ts'
import { readKeySetFile, signingKeys } from '../../server/config/key-sets.ts'
import { examples, readKid } from '../shared/options.ts'
import type { World } from '../shared/world.ts'

/** Defines `keyspring token mint` and `keyspring token sign-url`. */
export function defineToken(token: Command, world: World): void {
  addTokenOptions(token.command('mint').description('print a player token (JWT)'))
    .requiredOption('--content-id <pattern...>', 'contents that the token is for; * matches any text')
    .option('--kid <kid...>', 'limit the token to these keys')
    .option('--subject <name>', 'name under which requests with the token are counted')
    .option('--key-file <file>', 'private key in PEM, or key set, to sign with (default: playback.jwt.secret)')
    .addHelpText('after', examples("keyspring token mint --content-id 'film-*' --ttl 6h --config keyspring.yaml"))
    .action((options: MintOptions) => mint(options, world))
  addTokenOptions(token.command('sign-url').description('print the signed URL of a key or of ClearKey licences'))
    .requiredOption('--content-id <id>', 'the content')
    .option('--kid <kid>', 'the kid of the key')
    .option('--license', 'sign the URL of ClearKey licences')
    .addHelpText(
      'after',
      examples(
        'keyspring token sign-url --content-id film --kid 9eb4050d-e44b-4802-932e-27d75083e266 --config keyspring.yaml',
        'keyspring token sign-url --content-id film --license --ttl 10m --config keyspring.yaml',
      ),
    )
    .action((options: SignUrlOptions) => signedUrl(options, world))
}

function addTokenOptions(command: Command): Command {
  return command
    .option('--tenant <tenant>', 'tenant of the contents', 'default')
    .option('--ttl <time>', 'how long it is valid: 30s, 10m, 6h, 1d', '1h')
    .option('--key-id <id>', 'ID of the key to sign with')
    .option('--config <file>', 'configuration of the server (YAML)')
}

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

async function mint(options: MintOptions, world: World): Promise<void> {
  const config = readTokenConfig(options, world)
  const now = Date.now()
  const { contentId: contentIds, tenant, subject, kid } = options
  const kids = kid?.map((text) => readKid('--kid', text))
  const grant = { tenant, contentIds, kids, subject, expiresAt: now + readTtl(options) }
  const audience = config.playback.access.kind === 'jwt' ? config.playback.access.audience : undefined
  world.stdout.line(await mintPlayerToken(mintingKey(config, options), grant, now, audience))
}

function signedUrl(options: SignUrlOptions, world: World): void {
  const { contentId, tenant, kid: kidText, license = false } = options
  if ((kidText === undefined) !== license) throw wrongUsage('expected --kid for the URL of a key, or --license')
  const kid = kidText === undefined ? undefined : readKid('--kid', kidText)
  const config = readTokenConfig(options, world)
  const ref = { tenant, contentId }
  const urls = new PlayerUrls(config.publicUrl ?? `http://${config.host}:${config.port}`)
  const url = kid === undefined ? urls.clearKeyLicenseUrl(ref) : urls.keyUrl(ref, kid)
  const target = kid === undefined ? ref : { ...ref, kid }
  world.stdout.line(`${url}?${signUrl(signingKey(config, options), target, Date.now() + readTtl(options))}`)
}

function readTokenConfig({ config: file }: TokenOptions, { env }: World): Config {
  return readConfig({ file, environment: env, serves: false })
}

/** The key of --key-file, or the secret of the configuration, which the server verifies with. */
function mintingKey({ playback: { access } }: Config, { keyFile, keyId }: MintOptions): PlayerTokenKey {
  const known = keyFile === undefined ? (access.kind === 'jwt' ? access.keys.reveal() : []) : readKeys(keyFile, keyId)
  const found = known.find(({ id, key }) => key.type !== 'public' && (keyId === undefined || id === keyId))
  if (found !== undefined) return found
  throw wrongUsage(
    keyFile === undefined
      ? 'the configuration has no secret to sign with: set playback.jwt.secret, or give --key-file'
      : '--key-file: expected a private key, or a key set with a private key',
  )
}

/** The keys of a file: a key set, or one private key in PEM, whose ID is --key-id. */
function readKeys(file: string, keyId: string | undefined): readonly PlayerTokenKey[] {
  const text = readFileSync(file, 'utf8')
  if (text.trimStart().startsWith('{')) return signingKeys(readKeySetFile(text))
  if (keyId === undefined) throw wrongUsage('--key-id: expected the ID under which the server knows this key')
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
      ? 'the configuration signs no URLs: set playback.access: signed-url and playback.signedUrl'
      : '--key-id: no key of playback.signedUrl has this ID',
  )
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function readTtl({ ttl }: TokenOptions): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(ttl) ?? []
  const ms = Number(count) * (UNIT_MS[unit] ?? 0)
  if (ms > 0) return ms
  throw wrongUsage('--ttl: expected a time such as 30s, 10m, 6h or 1d')
}
