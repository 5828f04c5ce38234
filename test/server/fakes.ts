import type { Log, LogFields, LogLevel } from '../../src/server/log.ts'
import type { Metrics } from '../../src/server/metrics.ts'

export interface Line {
  readonly level: LogLevel
  readonly fields: LogFields
  readonly message: string
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
  const metrics = {
    request: keep('request'),
    refusal: keep('refusal'),
    issued: keep('issued'),
    pathVersionMismatch: keep('pathVersionMismatch'),
    unreadable: keep('unreadable'),
    ledgerLost: keep('ledgerLost'),
    staleDataKey: keep('staleDataKey'),
    sealedRows: keep('sealedRows'),
    render: async () => ({ contentType: 'text/plain', text: '' }),
  }
  return { metrics, told }
}
