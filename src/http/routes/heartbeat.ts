import { textReply } from '../errors.ts'
import type { Route } from '../route.ts'

/** The status message that SPEKE 1.0 encryptors may ask for. @see SPEKE v1.0, heartbeat */
export function heartbeat(userAgent: string): Pick<Route, 'name' | 'method' | 'headers' | 'handle'> {
  return {
    name: 'heartbeat',
    method: 'GET',
    headers: () => ({ 'speke-user-agent': userAgent }),
    handle: () => textReply(200, 'OK', { 'speke-user-agent': userAgent }),
  }
}
