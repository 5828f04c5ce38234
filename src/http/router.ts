import type { Route } from './route.ts'

/** A route, and the text of each `{name}` in its path. */
export interface FoundRoute {
  readonly route: Route
  readonly segments: readonly string[]
  /** The routes of the same path with other methods. */
  readonly others: readonly Route[]
}

type PathRoutes = Omit<FoundRoute, 'segments'>

/** One part of a path: the literal below it, any one segment, or any number of segments. */
interface Node {
  readonly literals: Map<string, Node>
  any: Node | undefined
  rest: PathRoutes | undefined
  at: PathRoutes | undefined
}

/**
 * Finds the route of a path. It compares the path of the request line as it was sent and resolves nothing in it: no `..`,
 * no `%2e`, no backslash, no double slash. So a proxy in front that filters paths sees the same path as Keyspring.
 */
export class Router {
  readonly #exact = new Map<string, FoundRoute>()
  readonly #root: Node = newNode()

  constructor(routes: readonly Route[]) {
    for (const [path, [route, ...others]] of Map.groupBy(routes, ({ path }) => path)) {
      if (route === undefined) continue
      if (!path.includes('{')) this.#exact.set(path, { route, segments: [], others })
      else this.#add(path, { route, others })
    }
  }

  /** The route of a path and method, else one of the path with another method; undefined if no route has the path. */
  find(rawPath: string, method: string): FoundRoute | undefined {
    // A path that the table holds literally, the usual case, costs one look-up.
    const exact = this.#exact.get(rawPath)
    if (exact !== undefined) return withMethod(exact, method)
    const path = pathOf(rawPath)
    const found = this.#exact.get(path) ?? this.#match(path)
    return found && withMethod(found, method)
  }

  #add(path: string, routes: PathRoutes): void {
    let node = this.#root
    for (const part of path.slice(1).split('/')) {
      if (part === '{...}') {
        node.rest = routes
        return
      }
      const next: Node = (part.startsWith('{') ? node.any : node.literals.get(part)) ?? newNode()
      if (part.startsWith('{')) node.any = next
      else node.literals.set(part, next)
      node = next
    }
    node.at = routes
  }

  /** A literal segment goes before `{name}`, and `{name}` before `{...}`. */
  #match(path: string): FoundRoute | undefined {
    if (!path.startsWith('/')) return undefined
    const parts = path.slice(1).split('/')
    const step = (node: Node, at: number, segments: readonly string[]): FoundRoute | undefined => {
      const part = parts[at]
      if (part === undefined) return node.at && { ...node.at, segments }
      const literal = node.literals.get(part)
      const found = literal && step(literal, at + 1, segments)
      if (found !== undefined) return found
      const any = node.any && step(node.any, at + 1, [...segments, part])
      return any ?? (node.rest && { ...node.rest, segments: [...segments, ...parts.slice(at)] })
    }
    return step(this.#root, 0, [])
  }
}

/** Whether a route answers a method; GET routes answer HEAD too. */
export function answersMethod({ method }: Route, asked: string): boolean {
  return method === 'any' || asked === method || (asked === 'HEAD' && method === 'GET')
}

/** The value of `Allow` for the path of a route. */
export function allowedMethods({ route, others }: PathRoutes): string {
  const methods = [route, ...others].map(({ method }) => (method === 'GET' ? 'GET, HEAD' : method))
  return [...methods, ...(route.preflight === undefined ? [] : ['OPTIONS'])].join(', ')
}

function withMethod(found: FoundRoute, method: string): FoundRoute {
  if (found.others.length === 0 || answersMethod(found.route, method)) return found
  const route = found.others.find((other) => answersMethod(other, method))
  return route === undefined ? found : { ...found, route }
}

/** The path without origin, query and one trailing slash. @see RFC 9112, 3.2.2 (absolute-form) */
function pathOf(rawPath: string): string {
  const path = rawPath.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

function newNode(): Node {
  return { literals: new Map(), any: undefined, rest: undefined, at: undefined }
}
