import { toReply } from '../http/errors.ts'
import type { FunctionServer } from '../server/function.ts'
import { toLoggedError } from '../server/log.ts'
import { encodeReply } from './encode-reply.ts'
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
        return kind.toResult(encodeReply(await handle(call), call), fields)
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
