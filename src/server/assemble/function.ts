import { createHash, randomBytes } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { withTimeLimit } from '../../core/time-limit.ts'
import type { Handler } from '../../http/request.ts'
import { type Config, readConfig } from '../config/config.ts'
import { resolveSecretReferences } from '../config/secret-references.ts'
import type { ConfigSources } from '../config/sources.ts'
import { auditLines } from '../observe/audit-lines.ts'
import { emfSink } from '../observe/emf-sink.ts'
import { createLog, type Log, toLoggedError } from '../observe/log.ts'
import { metricsOver } from '../observe/metrics.ts'
import { assemble } from './assemble.ts'
import { handlersOf } from './handlers.ts'

/** A server without a listener: something else brings it calls, and freezes the process between them. */
export interface FunctionServer {
  /** What answers; `foundAt` is where the gateway is reached, for a configuration that does not say where. */
  handlerAt(foundAt: string | undefined): Handler
  readonly identity: GatewayIdentity
  readonly maxBodyBytes: number
  /** What is done when it is time: nothing is done in between. Rejects when the store or the audit log cannot be written. */
  readonly tasks: Readonly<Record<ScheduledTask, () => Promise<object>>>
  readonly log: Log
  /** Writes what waits, and the metrics: before a reply is given. It takes no longer than `ms`, and never rejects. */
  flush(ms?: number): Promise<void>
  close(): Promise<void>
}

/** Destroying what has expired, and looking for key periods that were not asked for. */
export type ScheduledTask = 'expiry' | 'rotations'

/**
 * How a gateway says who is calling: as in front of a node of its own, by headers and a secret, which here never leaves the process.
 * A caller's own headers of these names are to be dropped.
 */
export interface GatewayIdentity {
  readonly secretHeader: string
  readonly secret: string
  readonly arnHeader: string
  readonly accountHeader: string
}

export interface FunctionOptions {
  readonly environment: ConfigSources['environment']
  readonly version: string
  /** Where lines of metrics go. */
  readonly write: (line: string) => void
}

const FLUSH_MS = 2_000
/** A function has a name or two that it is found at. */
const MAX_NAMES = 8
const SECRET_HASHES = 'KEYSPRING_AUTH_GATEWAY_SECRET_SHA256'

/** Assembles a server from the environment alone. Rejects with ERR_CONFIG_INVALID and every problem, by name and never by value. */
export async function startFunction({ environment, version, write }: FunctionOptions): Promise<FunctionServer> {
  const secret = randomBytes(32).toString('base64url')
  const resolved = await resolveSecretReferences(environment)
  const hash = createHash('sha256').update(secret).digest('hex')
  const config = readConfig({ environment: { ...resolved, [SECRET_HASHES]: hash }, runsAs: 'function' })
  const sink = emfSink({ service: serviceOf(environment), now: () => Date.now() })
  const metrics = { ...metricsOver(sink, version), render: async () => NO_TEXT }
  const log = await createLog(config.logLevel, { fileDescriptor: 1, sync: true })
  const keyProvider = await assemble(config, log, metrics, { keepsTime: false, auditSink: auditLines(write) })
  try {
    const callers = await keyProvider.loadCallers(config)
    callers.enforce()
    const made = new Map<string, Handler>()
    const make = (publicUrl: string): Handler => {
      const isReady = () => keyProvider.isReady()
      return handlersOf({ config, callers, keyProvider, log, metrics, version, publicUrl, isReady }).main
    }
    for (const notice of keyProvider.notices) log.warn({ problem: notice }, 'to know')

    return {
      handlerAt(foundAt) {
        const url = config.publicUrl ?? foundAt
        if (url === undefined) throw new KeyProviderError('ERR_CONFIG_INVALID', NO_PUBLIC_URL)
        const handler = made.get(url) ?? make(url)
        if (made.size < MAX_NAMES) made.set(url, handler)
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
          log.error({ error: toLoggedError(error) }, 'not all could be written')
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

const NO_PUBLIC_URL = 'publicUrl: is not set, and this kind of gateway does not say where it is reached'
const NO_TEXT = { contentType: 'text/plain; charset=utf-8', text: '# The metrics of a function are in its log.\n' }

/** As AWS's own libraries for this format name it. */
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
