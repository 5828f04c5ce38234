import { KeyProviderError } from '../../core/errors.ts'

/** What a log line may say. No other member gets into the log: no body, no header, no key. */
export interface LogFields {
  readonly requestId?: string | undefined
  readonly route?: string | undefined
  readonly status?: number | undefined
  readonly code?: string | undefined
  readonly problem?: string | undefined
  /** Why and where, beside a fixed message. */
  readonly detail?: string | undefined
  readonly tenant?: string | undefined
  readonly client?: string | undefined
  readonly peer?: string | undefined
  readonly contentId?: string | undefined
  readonly kid?: string | undefined
  readonly keys?: number | undefined
  readonly first?: boolean | undefined
  readonly lost?: number | undefined
  readonly settings?: readonly string[] | undefined
  readonly ms?: number | undefined
  readonly error?: LoggedError | undefined
}

/** An error as the log shows it. */
export interface LoggedError {
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
  /** Writes what is still held back: before the process ends. */
  flush(): void
}

export interface LogDestination {
  readonly fileDescriptor: number
  /** Whether a line is written when the call that logs it returns. */
  readonly sync: boolean
}

const STANDARD_ERROR: LogDestination = { fileDescriptor: 2, sync: false }

/** A log of the lines from `level` on. */
export async function createLog(
  level: LogLevel | 'silent',
  { fileDescriptor, sync }: LogDestination = STANDARD_ERROR,
): Promise<Log> {
  const { pino } = await import('pino')
  const destination = pino.destination({ dest: fileDescriptor, sync })
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  const write = (to: LogLevel) => (fields: LogFields, message: string) => logger[to](fields, message)
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    flush: () => destination.flushSync(),
  }
}

/** What the log shows of something thrown. A stack only where the error was not foreseen. */
export function toLoggedError(thrown: unknown, depth = 3): LoggedError {
  if (!(thrown instanceof Error)) {
    return { name: typeof thrown, code: undefined, message: 'thrown, but no error', stack: undefined, cause: undefined }
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
