import { textReply } from '../errors.ts'
import type { Route } from '../route.ts'

/** Whether the process answers at all. */
export const livez: Route = {
  name: 'livez',
  path: '/livez',
  method: 'GET',
  answersUnderLoad: true,
  handle: () => textReply(200, 'live'),
}

/** Whether a balancer should send requests to this process: not while it drains or while `isReady` is false. */
export function readyz(isReady: () => Promise<boolean>): Route {
  return {
    name: 'readyz',
    path: '/readyz',
    method: 'GET',
    answersUnderLoad: true,
    handle: async () => ((await isReady()) ? textReply(200, 'ready') : textReply(503, 'unready')),
  }
}

/** The status message for SPEKE 1.0 encryptors. @see https://docs.aws.amazon.com/speke/latest/documentation/the-speke-api.html */
export function heartbeat(path: string, userAgent: string): Route {
  return {
    name: 'heartbeat',
    path,
    method: 'GET',
    headers: () => ({ 'speke-user-agent': userAgent }),
    handle: () => textReply(200, 'OK', { 'speke-user-agent': userAgent }),
  }
}
