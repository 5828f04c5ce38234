import type { AnswerApi } from '../api/app.ts'
import type { IdentifyOperator } from '../api/caller.ts'
import type { ApiWorld } from '../api/operation.ts'
import { problemReply } from '../api/problem.ts'
import { refuseOtherSites } from '../listener/loopback.ts'
import type { Route } from '../route.ts'

export interface ApiOptions {
  readonly world: ApiWorld
  readonly identify: IdentifyOperator
  /** Of the package, for the description. */
  readonly version: string
}

/** Where the management API is. */
const PATHS = ['/openapi.json', '/api', '/api/{...}'] as const

/** The management API and its description. What it is made of is loaded when it is first asked for. */
export function apiRoutes({ world, identify, version }: ApiOptions): readonly Route[] {
  let loading: Promise<AnswerApi> | undefined
  const load = async (): Promise<AnswerApi> => {
    const { createApi } = await import('../api/app.ts')
    return createApi(world, version)
  }
  const answering: Omit<Route, 'path'> = {
    name: 'api',
    method: 'any',
    refuse: (call, error) => problemReply(error, call.requestId),
    async handle(call) {
      refuseOtherSites(call)
      const caller = await identify(call)
      loading ??= load()
      return (await loading)(call, caller)
    },
  }
  return PATHS.map((path) => ({ ...answering, path }))
}
