import type { Config } from '../../server/config/config.ts'
import { type Examination, fine, type HealthFinding } from './finding.ts'

const TIMEOUT_MS = 5_000

/** Something that the server has to reach. */
interface Target {
  readonly setting: string
  readonly url: string
  /** `HEAD` where only somebody answering matters. */
  readonly method: 'GET' | 'HEAD'
  /** What is wrong with an answer, undefined when nothing is. */
  readonly judge: (response: Response) => Promise<string | undefined>
  readonly mend: string
}

const anyAnswer = async (): Promise<undefined> => undefined

/** Whether what the configuration names can be reached from here. Nothing is sent but requests without a body. */
export async function examineReach({ config, now, heard }: Examination): Promise<readonly HealthFinding[]> {
  return Promise.all(targetsOf(config).map((target) => ask(target, now, heard)))
}

/** Everything that is asked over HTTP; the store and the root key are opened elsewhere. */
function targetsOf(config: Config): readonly Target[] {
  const { auth, playback, publicUrl } = config
  const { access } = playback
  const keySets = [
    ['auth.jwt.jwks', auth.jwt?.jwks],
    ['playback.jwt.jwks', access.kind === 'jwt' ? access.jwks : undefined],
  ] as const
  const targets: Target[] = keySets.flatMap(([setting, url]) =>
    url === undefined
      ? []
      : [
          {
            setting,
            url,
            method: 'GET',
            judge: judgeKeySet,
            mend: 'tokens cannot be checked without it: correct the URL, or let this machine reach it',
          },
        ],
  )
  if (access.kind === 'callback') {
    targets.push({
      setting: 'playback.callback.url',
      url: access.url,
      method: 'HEAD',
      judge: anyAnswer,
      mend: 'no player gets a key while it is away: correct the URL, or let this machine reach it',
    })
  }
  if (publicUrl !== undefined) {
    targets.push({
      setting: 'publicUrl',
      url: `${publicUrl}/livez`,
      method: 'GET',
      judge: judgeOwnAnswer,
      mend: 'players take keys there: start the server, or correct the name, the proxy or the certificate',
    })
  }
  return targets
}

async function ask(target: Target, now: () => number, heard: Examination['heard']): Promise<HealthFinding> {
  const { setting, url, method, judge, mend } = target
  const check = 'reach'
  const { host } = new URL(url)
  const askedAt = now()
  try {
    const response = await fetch(url, { method, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
    const at = Date.parse(response.headers.get('date') ?? '')
    if (!Number.isNaN(at)) heard.push({ from: host, at, askedAt, answeredAt: now() })
    const wrong = await judge(response)
    if (!response.bodyUsed) await response.body?.cancel()
    if (wrong === undefined) return fine(check, `${setting}: ${host} answers`)
    return { check, health: 'error', found: `${setting}: ${host} ${wrong}`, mend }
  } catch (error) {
    return { check, health: 'error', found: `${setting}: ${host} does not answer: ${reasonOf(error)}`, mend }
  }
}

async function judgeKeySet(response: Response): Promise<string | undefined> {
  if (response.status !== 200) return `answers ${response.status}, not a key set`
  const set: unknown = await response.json().catch(() => undefined)
  return Array.isArray(Object(set).keys) ? undefined : 'answers something that is no key set: expected {"keys": […]}'
}

async function judgeOwnAnswer(response: Response): Promise<string | undefined> {
  const isOurs = response.status === 200 && response.headers.has('x-request-id')
  return isOurs ? undefined : `answers ${response.status} to /livez, and not as Keyspring does`
}

/** Why a request got no answer; the cause that fetch wraps says more than its own words. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if (error.name === 'TimeoutError') return `nothing within ${TIMEOUT_MS / 1_000} s`
  const { cause } = error
  return cause instanceof Error ? ('code' in cause ? String(cause.code) : cause.message) : error.message
}
