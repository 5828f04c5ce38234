import { assemble } from '../../src/server/assemble/assemble.ts'
import type { KeyProvider } from '../../src/server/assemble/key-provider.ts'
import type { Config } from '../../src/server/config/config.ts'
import type { Log, LogFields, LogLevel } from '../../src/server/observe/log.ts'
import type { Metrics } from '../../src/server/observe/metrics.ts'

export interface Line {
  readonly level: LogLevel
  readonly fields: LogFields
  readonly message: string
}

/** A key provider over a store in memory. */
export async function keptKeyProvider(config: Config): Promise<KeyProvider> {
  return assemble(config, keptLog().log, keptMetrics().metrics)
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
