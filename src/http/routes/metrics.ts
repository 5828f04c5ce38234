import type { Call } from '../call.ts'
import type { Route } from '../route.ts'

/** The text of all metrics and its media type. */
export type RenderMetrics = () => Promise<{ readonly contentType: string; readonly text: string }>

export interface MetricsOptions {
  readonly render: RenderMetrics
  /** Throws for a caller that may not see the metrics, which cover every tenant. */
  readonly admit: (call: Call) => Promise<void> | void
}

/** Metrics in the text format of Prometheus. */
export function metrics({ render, admit }: MetricsOptions): Route {
  return {
    name: 'metrics',
    path: '/metrics',
    method: 'GET',
    answersUnderLoad: true,
    async handle(call) {
      await admit(call)
      const { contentType, text } = await render()
      return { status: 200, headers: { 'content-type': contentType, 'cache-control': 'no-store' }, body: text }
    },
  }
}
