import { KeyProviderError } from '../../core/errors.ts'
import type { LogOutput } from './log-output.ts'

/** The members of a log line. Nothing else gets into the log: no body, no header, no key. */
export interface LogFields {
  readonly requestId?: string | undefined
  readonly route?: string | undefined
  readonly status?: number | undefined
  readonly code?: string | undefined
  readonly problem?: string | undefined
  /** Reason and place, besides a fixed message. */
  readonly detail?: string | undefined
  readonly tenant?: string | undefined
  readonly client?: string | undefined
  readonly peer?: string | undefined
  readonly contentId?: string | undefined
  readonly kid?: string | undefined
  readonly keys?: number | undefined
  readonly first?: boolean | undefined
  readonly lost?: number | undefined
  /** Lines of the same peer and error that were not written. */
  readonly suppressed?: number | undefined
  readonly settings?: readonly string[] | undefined
  readonly ms?: number | undefined
  readonly error?: LoggedError | undefined
}

/** An error as the log shows it. */
interface LoggedError {
  readonly name: string
  readonly code: string | undefined
  readonly message: string
  readonly stack: string | undefined
  readonly cause: LoggedError | undefined
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Writes JSON lines. */
export interface Log {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  /** Writes pending lines. Call it before the process ends. */
  flush(): void
}

/** A log of the lines from `level` on. */
export async function createLog(level: LogLevel | 'silent', output: Pick<LogOutput, 'write' | 'flush'>): Promise<Log> {
  const { pino } = await import('pino')
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => output.write(line) },
  )
  const write = (to: LogLevel) => (fields: LogFields, message: string) => logger[to](fields, message)
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    flush: () => output.flush(),
  }
}

/** A thrown value as the log shows it. Only an unforeseen error has its stack. */
export function toLoggedError(thrown: unknown, depth = 3): LoggedError {
  if (!(thrown instanceof Error)) {
    return {
      name: typeof thrown,
      code: undefined,
      message: 'a thrown value that is no error',
      stack: undefined,
      cause: undefined,
    }
  }
  const { name, message, cause } = thrown
  return {
    name,
    code: 'code' in thrown ? String(thrown.code) : undefined,
    message,
    stack: thrown instanceof KeyProviderError ? undefined : thrown.stack,
    cause: cause === undefined || depth === 0 ? undefined : toLoggedError(cause, depth - 1),
  }
}
