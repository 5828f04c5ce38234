import { textReply } from '../errors.ts'
import type { Route } from '../route.ts'

/** Whether the process answers at all. */
export const livez: Route = {
  name: 'livez',
  path: '/livez',
  method: 'GET',
  handle: () => textReply(200, 'live'),
}

/** Whether this process should be sent requests: not while it drains, nor while `isReady` says no. It tells one word. */
export function readyz(isReady: () => Promise<boolean>): Route {
  return {
    name: 'readyz',
    path: '/readyz',
    method: 'GET',
    handle: async () => ((await isReady()) ? textReply(200, 'ready') : textReply(503, 'unready')),
  }
}
