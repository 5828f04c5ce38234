import { createHash, randomBytes } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { withTimeLimit } from '../../core/time-limit.ts'
import type { Handler } from '../../http/request.ts'
import type { AuditSink } from '../../operations/audit/sink.ts'
import { type Config, readConfig } from '../config/config.ts'
import { resolveSecretReferences } from '../config/secret-references.ts'
import type { ConfigSources } from '../config/sources.ts'
import { emfSink } from '../observe/emf-sink.ts'
import { createLog, type Log, toLoggedError } from '../observe/log.ts'
import { standardOutput } from '../observe/log-output.ts'
import { metricsOver } from '../observe/metrics.ts'
import { assemble } from './assemble.ts'
import { requestHandlers } from './request-handlers.ts'

/** A server without a listener: a function runtime passes calls to it and freezes the process between them. */
export interface FunctionServer {
  /** The handler of calls. `foundAt` is the address of the gateway, for a configuration without `publicUrl`. */
  handlerAt(foundAt: string | undefined): Handler
  readonly identity: GatewayIdentity
  readonly maxBodyBytes: number
  /** The scheduled tasks: nothing runs between calls. Rejects if the store or the audit log cannot be written. */
  readonly tasks: Readonly<Record<ScheduledTask, () => Promise<object>>>
  readonly log: Log
  /** Writes pending records and the metrics, before a reply leaves. Takes at most `ms` milliseconds and never rejects. */
  flush(ms?: number): Promise<void>
  close(): Promise<void>
}

/** `expiry` destroys expired contents; `rotations` looks for key periods that nobody requested. */
export type ScheduledTask = 'expiry' | 'rotations'

/**
 * The headers in which a gateway names its caller, and the secret that proves the gateway. The secret never leaves the process.
 * Headers of these names that a caller sends must be dropped.
 */
export interface GatewayIdentity {
  readonly secretHeader: string
  readonly secret: string
  readonly arnHeader: string
  readonly accountHeader: string
}

interface FunctionOptions {
  readonly environment: ConfigSources['environment']
  readonly version: string
  /** Writes a line of metrics or of the audit log. */
  readonly write: (line: string) => void
}

const FLUSH_MS = 2_000
/** The addresses of one function that have a handler of their own. */
const MAX_ADDRESSES = 8
const SECRET_HASHES = 'KEYSPRING_AUTH_GATEWAY_SECRET_SHA256'

/** Assembles a server from the environment alone. Rejects with ERR_CONFIG_INVALID and every problem, by name and never by value. */
export async function startFunction({ environment, version, write }: FunctionOptions): Promise<FunctionServer> {
  const secret = randomBytes(32).toString('base64url')
  const resolved = await resolveSecretReferences(environment)
  const hash = createHash('sha256').update(secret).digest('hex')
  const config = readConfig({ environment: { ...resolved, [SECRET_HASHES]: hash }, runsAs: 'function' })
  const sink = emfSink({ service: serviceOf(environment), now: () => Date.now() })
  const metrics = { ...metricsOver(sink, version), render: async () => NO_TEXT }
  const log = await createLog(config.logLevel, standardOutput(1, { sync: true, onLoss: metrics.logLost }))
  const keyProvider = await assemble(config, log, metrics, { keepsTime: false, auditSink: new AuditLines(write) })
  try {
    const callers = await keyProvider.callers.load(config)
    keyProvider.callers.enforce(callers)
    const made = new Map<string, Handler>()
    const make = (publicUrl: string): Handler => {
      const isReady = () => keyProvider.isReady()
      return requestHandlers({ config, callers, keyProvider, metrics, version, publicUrl, isReady }).main
    }
    for (const notice of keyProvider.notices) log.warn({ problem: notice }, 'startup warning')

    return {
      handlerAt(foundAt) {
        const url = config.publicUrl ?? foundAt
        if (url === undefined) throw new KeyProviderError('ERR_CONFIG_INVALID', NO_PUBLIC_URL)
        const handler = made.get(url) ?? make(url)
        if (made.size < MAX_ADDRESSES) made.set(url, handler)
        return handler
      },
      identity: identityOf(config, secret),
      maxBodyBytes: config.limits.bodyBytes,
      tasks: {
        expiry: () => keyProvider.operations.sweeper.sweep(),
        rotations: () => keyProvider.operations.checkRotations(),
      },
      log,
      async flush(ms = FLUSH_MS) {
        try {
          await withTimeLimit(ms, () => keyProvider.flush())
        } catch (error) {
          log.error({ error: toLoggedError(error) }, 'pending records could not be written')
        }
        for (const line of sink.take()) write(`${line}\n`)
        log.flush()
      },
      close: () => keyProvider.close(),
    }
  } catch (error) {
    await keyProvider.close()
    throw error
  }
}

const NO_PUBLIC_URL = 'publicUrl: is not set, and this kind of gateway does not pass its address on: set publicUrl'
const NO_TEXT = { contentType: 'text/plain; charset=utf-8', text: '# The metrics of a function are in its log.\n' }

/** The service name, from the variables that AWS's own libraries for this format use. */
function serviceOf(environment: ConfigSources['environment']): string {
  return environment.AWS_EMF_SERVICE_NAME ?? environment.AWS_LAMBDA_FUNCTION_NAME ?? 'keyspring'
}

function identityOf({ auth: { gateway } }: Config, secret: string): GatewayIdentity {
  if (gateway === undefined) throw new TypeError('a function without its own gateway')
  const { secretHeader, arnHeader, accountHeader } = gateway
  return {
    secret,
    secretHeader: secretHeader.toLowerCase(),
    arnHeader: arnHeader.toLowerCase(),
    accountHeader: accountHeader.toLowerCase(),
  }
}

/** An audit log in the output of the process, whose runtime keeps it. Each process has a chain of its own. */
export class AuditLines implements AuditSink {
  readonly name = 'standard output'
  readonly #write: (text: string) => void

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  async open(): Promise<undefined> {}

  async append(_day: string, text: string): Promise<void> {
    this.#write(text)
  }

  async close(): Promise<void> {}
}
