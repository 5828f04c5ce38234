import { KeyProviderError } from '../../core/errors.ts'
import { toReply } from '../../http/errors.ts'
import type { IncomingRequest, Reply } from '../../http/request.ts'
import type { FunctionServer } from '../assemble/function.ts'
import { toLoggedError } from '../observe/log.ts'
import { type EventKind, type Fields, fieldsOf } from './event-kind.ts'
import { httpApi, loadBalancer, restApi } from './gateways.ts'
import { encodeReply, toIncomingRequest } from './request.ts'
import { runScheduled, schedule } from './schedule.ts'

/** The known kinds of events. To add one, write its file and add it here. */
export const EVENT_KINDS: readonly EventKind[] = [restApi, httpApi, loadBalancer, schedule]

/** The kind of an event. Throws ERR_USAGE_INVALID for an event of no kind, or of two. */
export function kindOf(event: unknown): { readonly kind: EventKind; readonly fields: Fields } {
  const fields = fieldsOf(event)
  const [kind, second] = EVENT_KINDS.filter((one) => one.recognizes(fields))
  if (kind !== undefined && second === undefined) return { kind, fields }
  throw new KeyProviderError(
    'ERR_USAGE_INVALID',
    `the kind of the event is not known: expected one of ${EVENT_KINDS.map(({ name }) => name).join(', ')}`,
  )
}

/** Answers an event of AWS Lambda. Rejects for an event of an unknown kind, and if the server cannot start. */
export type LambdaHandler = (event: unknown) => Promise<object>

interface Lambda {
  readonly handler: LambdaHandler
  /** Starts the server before the first event. Rejects if it cannot start; the next event tries again. */
  prepare(): Promise<void>
}

const SCHEDULED_FLUSH_MS = 30_000

/** A handler of Lambda over a server. It writes everything before it returns a result: then Lambda freezes the process. */
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
      const call = toIncomingRequest(request, server.identity)
      try {
        const handle = server.handlerAt(request.foundAt)
        return resultOf(kind, await handle(call), call, fields)
      } catch (error) {
        // The handler itself turns rejections into replies.
        server.log.error({ requestId: call.requestId, error: toLoggedError(error) }, 'failed')
        return kind.toResult(encodeReply(toReply(error), call), fields)
      }
    } finally {
      // No caller waits for a scheduled task.
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

/** The result of a reply. Throws for a result that is too large for the gateway, which would answer 502 without a reason. */
function resultOf(kind: EventKind, reply: Reply, call: IncomingRequest, event: Fields): object {
  const result = kind.toResult(encodeReply(reply, call), event)
  if (reply.body.length < kind.maxResultBytes / MAX_CHARACTER_BYTES) return result
  const bytes = Buffer.byteLength(JSON.stringify(result))
  if (bytes <= kind.maxResultBytes) return result
  throw new KeyProviderError(
    'ERR_BODY_TOO_LARGE',
    `the answer is too large: it has ${bytes} bytes, and ${kind.name} passes on ${kind.maxResultBytes}. Request fewer keys at once`,
  )
}

/** A control character has six bytes in JSON. */
const MAX_CHARACTER_BYTES = 6
