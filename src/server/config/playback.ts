import { createSecretKey, type KeyObject } from 'node:crypto'
import { remoteKeySet } from '../../auth/credentials/jwt-verify.ts'
import { createPlayerTokens, type PlayerTokenKey } from '../../auth/players/token.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import type { AllowedOrigins } from '../../protocols/playback/cors.ts'
import { MIN_SECRET_BYTES, type ReportProblem } from './fields.ts'
import { readText } from './files.ts'
import { checkingKeys, readKeySetFile } from './key-sets.ts'
import type { Sections } from './setting-list.ts'

/** What players get, and how they prove that they may have it. */
export interface Playback extends Pick<WrittenPlayback, 'serveDrmKeys' | 'urlQuery' | 'rateLimit' | 'token'> {
  readonly access: AccessSettings
  /** Whether the configuration sets `playback.access`. */
  readonly isAccessSet: boolean
  readonly origins: AllowedOrigins
}
type WrittenPlayback = Readonly<Sections['playback']>

/** One kind of access control with its settings. */
export type AccessSettings =
  | { readonly kind: 'open' }
  | { readonly kind: 'off' }
  | {
      readonly kind: 'jwt'
      readonly keys: Secret<readonly PlayerTokenKey[]>
      readonly jwks: string | undefined
      readonly audience: string
    }
  | { readonly kind: 'signed-url'; readonly keys: Secret<ReadonlyMap<string, KeyObject>> }
  | {
      readonly kind: 'callback'
      readonly url: string
      readonly timeoutMs: number
      readonly maxTtlSeconds: number
    }

/** The ID of a secret that is a setting, not a file. */
const SECRET_ID = 'secret'

/** The configured access control with the keys from its files; `open` if none is set and `isOpenByDefault`. */
export function toPlayback(written: WrittenPlayback, isOpenByDefault: boolean, report: ReportProblem): Playback {
  const { serveDrmKeys, urlQuery, rateLimit, token } = written
  if (written.access === undefined && !isOpenByDefault) {
    report(
      'playback.access',
      'is not set, and other machines can ask for keys: expected off, jwt, signed-url, callback, or open to serve every player',
    )
  }
  return {
    access: ACCESS[written.access ?? 'open'](written, report),
    isAccessSet: written.access !== undefined,
    origins: toOrigins(written.origins, report),
    serveDrmKeys,
    urlQuery,
    rateLimit,
    token,
  }
}

type AccessKind = AccessSettings['kind']

const ACCESS: Readonly<Record<AccessKind, (written: WrittenPlayback, report: ReportProblem) => AccessSettings>> = {
  open: () => ({ kind: 'open' }),

  off: () => ({ kind: 'off' }),

  jwt({ jwt: { secret, jwks, audience } }, report) {
    const isUrl = jwks !== undefined && /^https?:\/\//i.test(jwks)
    const keys: PlayerTokenKey[] = [
      ...(secret === undefined ? [] : secretKeys(secret.reveal())),
      ...(jwks === undefined || isUrl ? [] : readChecked('playback.jwt.jwks', jwks, report)),
    ]
    if (keys.length === 0 && jwks === undefined) {
      report('playback.jwt', 'expected secret or jwks: their keys verify tokens')
    }
    checking('playback.jwt.jwks', report, () => {
      createPlayerTokens({ keys, now: () => 0 })
      if (isUrl) remoteKeySet(new URL(jwks))
    })
    return { kind: 'jwt', keys: new Secret(keys), jwks: isUrl ? jwks : undefined, audience }
  },

  'signed-url'({ signedUrl: { secret, keyFiles } }, report) {
    const keys = new Map<string, KeyObject>()
    if (secret !== undefined) keys.set(SECRET_ID, secretKey(secret.reveal()))
    for (const [i, keyFile] of keyFiles.entries()) {
      const [id = '', ...file] = keyFile.split('=')
      const path = `playback.signedUrl.keyFiles.${i}`
      const text = readText(path, file.join('='), report)?.trim()
      if (text === undefined) continue
      if (Buffer.byteLength(text) < MIN_SECRET_BYTES) {
        report(path, `expected a file with a secret of ${MIN_SECRET_BYTES} bytes or more`)
      } else if (keys.has(id)) report(path, 'another key has this ID')
      else keys.set(id, secretKey(text))
    }
    if (secret === undefined && keyFiles.length === 0) {
      report('playback.signedUrl', 'expected secret or keyFiles: their keys sign URLs')
    }
    return { kind: 'signed-url', keys: new Secret(keys) }
  },

  callback({ callback: { url, timeoutMs, maxTtlSeconds } }, report) {
    if (url === undefined) report('playback.callback.url', 'is not set: expected the URL that decides')
    return { kind: 'callback', url: url ?? '', timeoutMs, maxTtlSeconds }
  },
}

function toOrigins(origins: readonly string[], report: ReportProblem): AllowedOrigins {
  if (!origins.includes('*')) return origins
  if (origins.length > 1) report('playback.origins', 'expected * alone or a list of origins')
  return '*'
}

/** Also for tokens that name no key: issuers with one secret omit `kid`. */
function secretKeys(text: string): readonly PlayerTokenKey[] {
  const key = secretKey(text)
  return [SECRET_ID, ''].map((id) => ({ id, algorithm: 'HS256', key }))
}

function secretKey(text: string): KeyObject {
  return createSecretKey(Buffer.from(text))
}

function readChecked(path: string, file: string, report: ReportProblem): readonly PlayerTokenKey[] {
  const text = readText(path, file, report)
  if (text === undefined) return []
  let keys: readonly PlayerTokenKey[] = []
  checking(path, report, () => {
    keys = checkingKeys(readKeySetFile(text))
  })
  return keys
}

/** Reports the problem for which `check` throws. */
function checking(path: string, report: ReportProblem, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!(error instanceof KeyProviderError && error.code === 'ERR_CONFIG_INVALID')) throw error
    report(path, error.message)
  }
}
