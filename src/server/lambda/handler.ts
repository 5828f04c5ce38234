import { KeyProviderError } from '../../core/errors.ts'
import { toReply } from '../../http/errors.ts'
import type { IncomingRequest, Reply } from '../../http/request.ts'
import type { FunctionServer } from '../assemble/function.ts'
import { toLoggedError } from '../observe/log.ts'
import { encodeReply } from './encode-reply.ts'
import type { EventKind, Fields } from './event-kind.ts'
import { kindOf } from './event-kinds.ts'
import { runScheduled } from './run-scheduled.ts'
import { toCall } from './to-call.ts'

/** Answers an event of AWS Lambda. Rejects for one that is of no kind that is known, and when the server cannot start. */
export type LambdaHandler = (event: unknown) => Promise<object>

export interface Lambda {
  readonly handler: LambdaHandler
  /** Starts the server before the first event comes. Rejects when it cannot start; the next event tries again. */
  prepare(): Promise<void>
}

const SCHEDULED_FLUSH_MS = 30_000

/** A handler of Lambda over a server. Everything is written before a result is given: after that the process is frozen. */
export function createLambda(start: () => Promise<FunctionServer>): Lambda {
  let started: Promise<FunctionServer> | undefined
  const serverOf = (): Promise<FunctionServer> => {
    started ??= start().catch((error: unknown) => {
      started = undefined
      throw error
    })
    return started
  }

  const handler: LambdaHandler = async (event) => {
    const { kind, fields } = kindOf(event)
    const server = await serverOf()
    const request = kind.toRequest(fields)
    try {
      if (request === undefined) {
        await runScheduled(server, fields)
        return kind.toResult({ status: 200, headers: [], body: '', isBase64: false }, fields)
      }
      const call = toCall(request, server)
      try {
        const handle = server.handlerAt(request.foundAt)
        return resultOf(kind, await handle(call), call, fields)
      } catch (error) {
        // The handler itself turns refusals into replies.
        server.log.error({ requestId: call.requestId, error: toLoggedError(error) }, 'failed')
        return kind.toResult(encodeReply(toReply(error), call), fields)
      }
    } finally {
      // Nobody waits for what is done on a schedule.
      await server.flush(request === undefined ? SCHEDULED_FLUSH_MS : undefined)
    }
  }

  return {
    handler,
    async prepare() {
      await serverOf()
    },
  }
}

/** The result of a reply. Throws for one that the gateway would not pass on: it would answer 502, and nobody would know why. */
function resultOf(kind: EventKind, reply: Reply, call: IncomingRequest, event: Fields): object {
  const result = kind.toResult(encodeReply(reply, call), event)
  if (reply.body.length < kind.maxResultBytes / MOST_OF_A_CHARACTER) return result
  const bytes = Buffer.byteLength(JSON.stringify(result))
  if (bytes <= kind.maxResultBytes) return result
  throw new KeyProviderError(
    'ERR_BODY_TOO_LARGE',
    `the answer is too large: it takes ${bytes} bytes, of which ${kind.name} passes on ${kind.maxResultBytes}; ask for fewer keys at once`,
  )
}

/** A control character is six in JSON. */
const MOST_OF_A_CHARACTER = 6
