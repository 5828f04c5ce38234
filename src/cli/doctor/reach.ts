import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Config } from '../../server/config/config.ts'
import { type Examination, fine, type HealthFinding } from './finding.ts'

const TIMEOUT_MS = 5_000
const CHECK = 'reach'
const NO_KEY_SET = 'expected {"keys": […]}'

/** A service that the server needs. */
interface Target {
  readonly setting: string
  readonly url: string
  /** `HEAD` where any answer will do. */
  readonly method: 'GET' | 'HEAD'
  /** What is wrong with an answer, undefined if nothing is. */
  readonly problemOf: (response: Response) => Promise<string | undefined>
  readonly fix: string
}

/** Checks whether the services in the configuration answer from here. Sends only requests without a body and credentials. */
export async function examineReach({ config, now, remoteTimes }: Examination): Promise<readonly HealthFinding[]> {
  const { jwks } = config.auth.jwt ?? {}
  const files = jwks === undefined || isUrl(jwks) ? [] : [examineKeySetFile('auth.jwt.jwks', jwks)]
  return [...files, ...(await Promise.all(targetsOf(config).map((target) => request(target, now, remoteTimes))))]
}

function isUrl(text: string): boolean {
  return /^https?:/i.test(text)
}

/** A key set in a file. Reading the configuration has already checked the file of `playback.jwt.jwks`. */
function examineKeySetFile(setting: string, file: string): HealthFinding {
  const path = resolve(file)
  const fix = `tokens cannot be verified without it: correct ${setting}, or the file`
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    return { check: CHECK, health: 'error', found: `${setting}: ${path} cannot be read: ${reasonOf(error)}`, fix }
  }
  if (isKeySet(text)) return fine(CHECK, `${setting}: ${path} is a key set`)
  return { check: CHECK, health: 'error', found: `${setting}: ${path} is not a key set: ${NO_KEY_SET}`, fix }
}

/** Everything that is reached over HTTP. Other checks open the store and the root key. */
function targetsOf({ auth, playback: { access }, publicUrl, events }: Config): readonly Target[] {
  const keySet = (setting: string, url: string | undefined): readonly Target[] =>
    url === undefined || !isUrl(url)
      ? []
      : [
          {
            setting,
            url,
            method: 'GET',
            problemOf: keySetProblem,
            fix: 'tokens cannot be verified without it: correct the URL, or let this machine reach it',
          },
        ]
  const anyAnswer = (setting: string, url: string | undefined, fix: string): readonly Target[] =>
    url === undefined ? [] : [{ setting, url, method: 'HEAD', problemOf: async () => undefined, fix }]
  return [
    ...keySet('auth.jwt.jwks', auth.jwt?.jwks),
    ...keySet('playback.jwt.jwks', access.kind === 'jwt' ? access.jwks : undefined),
    ...anyAnswer(
      'playback.callback.url',
      access.kind === 'callback' ? access.url : undefined,
      'players get no keys while it is unreachable: correct the URL, or let this machine reach it',
    ),
    ...anyAnswer(
      'events.webhook.url',
      events.webhook?.url,
      'events wait, and end up in the dead-letter file, while it is unreachable: correct the URL, or let this machine reach it',
    ),
    ...(publicUrl === undefined
      ? []
      : [
          {
            setting: 'publicUrl',
            url: `${publicUrl}/livez`,
            method: 'GET',
            problemOf: ownAnswerProblem,
            fix: 'players get keys there: start the server, or correct the name, the proxy or the certificate',
          } as const,
        ]),
  ]
}

async function request(
  { setting, url, method, problemOf, fix }: Target,
  now: () => number,
  remoteTimes: Examination['remoteTimes'],
): Promise<HealthFinding> {
  const { host } = new URL(url)
  const askedAt = now()
  try {
    const response = await fetch(url, { method, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
    const at = Date.parse(response.headers.get('date') ?? '')
    if (!Number.isNaN(at)) remoteTimes.push({ from: host, at, askedAt, answeredAt: now() })
    const problem = await problemOf(response)
    if (!response.bodyUsed) await response.body?.cancel()
    if (problem === undefined) return fine(CHECK, `${setting}: ${host} answers`)
    return { check: CHECK, health: 'error', found: `${setting}: ${host} ${problem}`, fix }
  } catch (error) {
    return { check: CHECK, health: 'error', found: `${setting}: ${host} does not answer: ${reasonOf(error)}`, fix }
  }
}

async function keySetProblem(response: Response): Promise<string | undefined> {
  if (response.status !== 200) return `answers ${response.status}, not a key set`
  return isKeySet(await response.text()) ? undefined : `answers something that is not a key set: ${NO_KEY_SET}`
}

/** Whether a text is a JWK Set. @see RFC 7517, 5 */
function isKeySet(text: string): boolean {
  try {
    return Array.isArray(Object(JSON.parse(text)).keys)
  } catch {
    return false
  }
}

async function ownAnswerProblem(response: Response): Promise<string | undefined> {
  const isOurs = response.status === 200 && response.headers.has('x-request-id')
  return isOurs ? undefined : `answers ${response.status} to /livez, and not like Keyspring`
}

/** Why there is no answer. The cause that fetch wraps is more precise than its own message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if (error.name === 'TimeoutError') return `nothing within ${TIMEOUT_MS / 1_000} s`
  const { cause } = error
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message
  return 'code' in error ? String(error.code) : error.message
}
