import type { Call } from '../call.ts'
import type { Route } from '../route.ts'

/** The text of all metrics and its media type. */
export type RenderMetrics = () => Promise<{ readonly contentType: string; readonly text: string }>

/** Throws for a call whose sender may not look into the server. */
export type AdmitOperator = (call: Call) => Promise<void> | void

export interface MetricsOptions {
  readonly render: RenderMetrics
  readonly admit: AdmitOperator
}

/** Metrics in the text format of Prometheus, for whom `admit` lets in: they tell of every tenant. */
export function metrics({ render, admit }: MetricsOptions): Route {
  return {
    name: 'metrics',
    path: '/metrics',
    method: 'GET',
    async handle(call) {
      await admit(call)
      const { contentType, text } = await render()
      return { status: 200, headers: { 'content-type': contentType, 'cache-control': 'no-store' }, body: text }
    },
  }
}
