import { createSecretKey, randomBytes } from 'node:crypto'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { authorize, type Client, SCOPES, type Scope } from '../../../src/auth/clients/client.ts'
import { matchesPattern } from '../../../src/core/glob.ts'
import { type Kid, systemIdOf, toKid } from '../../../src/formats/cenc.ts'
import type { ApiWorld } from '../../../src/http/api/operation.ts'
import type { Call } from '../../../src/http/call.ts'
import type { ApiCaller } from '../../../src/http/callers.ts'
import { requireLocalCall } from '../../../src/http/listener/private-listener.ts'
import type { Handler } from '../../../src/http/request.ts'
import { apiRoutes } from '../../../src/http/routes/api.ts'
import { StoredContentKeys } from '../../../src/keys/content/content-keys.ts'
import { retentionClasses, retentionRules } from '../../../src/operations/lifetime/retention.ts'
import { createSweeper } from '../../../src/operations/lifetime/sweep.ts'
import type { AuditEntry } from '../../../src/operations/ports/audit.ts'
import type { KeyspringEvent } from '../../../src/operations/ports/events.ts'
import { type CallOverrides, callOf, handlerFor } from '../calls.ts'

export const KID = kidOf('71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101')
export const OTHER_KID = kidOf('0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f')
const WIDEVINE = systemIdOf('edef8ba9-79d6-4ace-a3c8-27dcd51d21ed')
const DAY_MS = 86_400_000

export function kidOf(text: string): Kid {
  const kid = toKid(text)
  if (kid === undefined) throw new TypeError('no UUID')
  return kid
}

const RULES = {
  default: 'forever',
  classes: { live: { keep: '7d', grace: '1d', afterwards: 'gone' as const } },
  contents: [{ contentId: 'live-*', class: 'live' }],
  hold: [],
}

export interface Asked {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly text: string
  readonly json: Record<string, unknown>
}

export interface Asking {
  readonly as?: Partial<Client>
  readonly json?: unknown
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly call?: CallOverrides
}

/** The management API over a store in memory, with a clock that is set by hand. */
export function apiWorld(store = memoryStore()) {
  const clock = { at: Date.UTC(2026, 10, 21, 19) }
  const now = () => clock.at
  const audit: AuditEntry[] = []
  const events: KeyspringEvent[] = []
  const observed: unknown[] = []
  const key = createSecretKey(randomBytes(32))
  const dataKeys = { current: async () => ({ generation: 1, key }), find: async () => key }
  const retention = retentionRules(RULES)
  const contentKeys = new StoredContentKeys({
    store,
    dataKeys,
    policy: 'derived',
    retention,
    now: () => performance.now(),
    time: now,
    randomBytes,
    revalidateMs: 0,
  })
  const management = {
    store,
    dataKeys,
    contentKeys,
    retention,
    audit: {
      write: async (entry: AuditEntry) => void audit.push(entry),
      spool: (entry: AuditEntry) => void audit.push(entry),
      close: async () => {},
    },
    emit: (event: KeyspringEvent) => void events.push(event),
    now,
    randomBytes,
  }
  const world: ApiWorld = {
    management,
    sweeper: createSweeper(management, { pauseMs: 0 }),
    retention: { default: RULES.default, classes: retentionClasses(RULES) },
    importKey: undefined,
  }
  let client: Client = { name: 'operator', tenant: 'default', scopes: SCOPES }
  const handler: Handler = handlerFor({
    routes: apiRoutes({ world, identify: (call) => callerOf(client, call), version: '9.9.9' }),
    checks: [requireLocalCall],
    observe: (_call, _route, _reply, error) => void observed.push(error),
    now: () => 0,
  })

  const ask = async (method: string, path: string, asking: Asking = {}): Promise<Asked> => {
    client = { name: 'operator', tenant: 'default', scopes: SCOPES, ...asking.as }
    const text = asking.body ?? (asking.json === undefined ? undefined : JSON.stringify(asking.json))
    const media = asking.json === undefined ? {} : { 'content-type': 'application/json' }
    const reply = await handler(
      callOf(method, path, {
        headers: { ...media, ...asking.headers },
        bytes: Buffer.from(text ?? ''),
        ...asking.call,
      }),
    )
    const body = Buffer.from(reply.body).toString()
    const isJson = String(reply.headers['content-type']).includes('json')
    return { status: reply.status, headers: reply.headers, text: body, json: isJson ? JSON.parse(body) : {} }
  }

  return {
    ask,
    audit,
    events,
    observed,
    store,
    world,
    advance(days: number) {
      clock.at += days * DAY_MS
    },
    /** Gives an encryptor its keys, and tells the ledger. */
    async issue(contentId: string, kids: readonly Kid[] = [KID], tenant = 'default') {
      const content = await contentKeys.open({ tenant, contentId }, kids)
      const { keys } = await content.issue(kids.map((kid) => ({ contentKeyClass: 'drm', kid })))
      await store.record([
        {
          tenant,
          contentId,
          periodId: '',
          periodIndex: undefined,
          periodStart: undefined,
          periodEnd: undefined,
          keys: kids.map((kid) => ({
            kid,
            contentKeyClass: 'drm',
            commonEncryptionScheme: 'cbcs',
            intendedTrackTypes: ['VIDEO'],
            systemIds: [WIDEVINE],
          })),
          client: 'encoder',
          spekeVersion: '2.0',
          firstAt: now(),
          lastAt: now(),
          requests: 1,
          keepUntil: undefined,
        },
      ])
      return keys.map(({ contentKey }) => Buffer.from(contentKey))
    },
  }
}

function callerOf(client: Client, call: Call): ApiCaller {
  const { name, tenant, contentIds } = client
  return {
    operator: { tenant, actor: { method: 'token', id: name, address: call.address }, requestId: call.requestId },
    client: name,
    authorize: (intent) => authorize(client, intent),
    sees: contentIds && ((contentId) => contentIds.some((pattern) => matchesPattern(pattern, contentId))),
  }
}

/** A client with these scopes and no other. */
export function withScopes(...scopes: readonly Scope[]): Partial<Client> {
  return { scopes }
}
