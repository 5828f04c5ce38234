import { KeyProviderError } from '../errors.ts'
import { isLocalCall } from './loopback.ts'
import type { Route } from './route.ts'

/** The text of all metrics and its media type. */
export type RenderMetrics = () => Promise<{ readonly contentType: string; readonly text: string }>

/** Metrics in the text format of Prometheus, for programs on this machine alone: they tell of every tenant. */
export function metrics(render: RenderMetrics): Route {
  return {
    name: 'metrics',
    path: '/metrics',
    method: 'GET',
    async handle(call) {
      if (!isLocalCall(call)) {
        throw new KeyProviderError('ERR_REQUEST_FORWARDED', 'metrics are served to this machine only')
      }
      const { contentType, text } = await render()
      return { status: 200, headers: { 'content-type': contentType, 'cache-control': 'no-store' }, body: text }
    },
  }
}
