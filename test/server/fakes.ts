import { createSecretKey, randomBytes } from 'node:crypto'
import { memoryStore } from '../../src/adapters/store/memory/store.ts'
import type { ClientStore } from '../../src/auth/clients/store.ts'
import { StoredContentKeys } from '../../src/keys/content/content-keys.ts'
import { CallerRegistry, type LoadCallers } from '../../src/server/assemble/callers.ts'
import { type Operations, openOperations } from '../../src/server/assemble/operations.ts'
import type { Config } from '../../src/server/config/config.ts'
import { ContentRules } from '../../src/server/config/content-rules.ts'
import type { Log, LogFields, LogLevel } from '../../src/server/observe/log.ts'
import type { Metrics } from '../../src/server/observe/metrics.ts'

export interface Line {
  readonly level: LogLevel
  readonly fields: LogFields
  readonly message: string
}

/** The callers of a store in memory, whose secrets one data key seals. */
export function keptCallers(store: ClientStore = memoryStore()): LoadCallers {
  const key = createSecretKey(randomBytes(32))
  const dataKeys = { current: async () => ({ generation: 1, key }), find: async () => key }
  const registry = new CallerRegistry({ store, dataKeys, now: () => Date.now() })
  return (config) => registry.load(config)
}

/** What a server does besides answering, over a store in memory. */
export function keptOperations(config: Config): Promise<Operations> {
  const store = memoryStore()
  const key = createSecretKey(randomBytes(32))
  const dataKeys = { current: async () => ({ generation: 1, key }), find: async () => key }
  const time = () => Date.now()
  const contentKeys = new StoredContentKeys({ store, dataKeys, policy: 'derived', now: time, time, randomBytes })
  const { log } = keptLog()
  const { metrics } = keptMetrics()
  return openOperations({ config, store, dataKeys, contentKeys, rules: new ContentRules(config), log, metrics })
}

/** A log that keeps its lines. */
export function keptLog(): { readonly log: Log; readonly lines: Line[] } {
  const lines: Line[] = []
  const write = (level: LogLevel) => (fields: LogFields, message: string) => void lines.push({ level, fields, message })
  const log = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    flush: () => {},
  }
  return { log, lines }
}

/** Metrics that keep what they were told. */
export function keptMetrics(): { readonly metrics: Metrics; readonly told: unknown[][] } {
  const told: unknown[][] = []
  const keep =
    (name: string) =>
    (...values: unknown[]) =>
      void told.push([name, ...values])
  const render = async () => ({ contentType: 'text/plain', text: '' })
  const metrics = new Proxy({ render } as Metrics, {
    get: (target, name) => (name === 'render' ? target.render : keep(String(name))),
  })
  return { metrics, told }
}
