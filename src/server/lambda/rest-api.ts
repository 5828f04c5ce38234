import {
  type EventKind,
  type Fields,
  fieldsOf,
  LAMBDA_RESULT_BYTES,
  listedHeaders,
  pairsOf,
  textOf,
} from './event-kind.ts'

/**
 * A REST API of API Gateway, payload 1.0. It decodes the query; it is encoded again here, as signatures need it. The path of the
 * caller, stage and all, is in the context. It keeps paths as they were sent, and decodes the parameters of a path: those only say
 * where in it the API's own begins.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
export const restApi: EventKind = {
  name: 'API Gateway REST API',
  maxResultBytes: LAMBDA_RESULT_BYTES,

  recognizes: ({ httpMethod, requestContext }) =>
    typeof httpMethod === 'string' && typeof fieldsOf(fieldsOf(requestContext).identity).sourceIp === 'string',

  toRequest(event) {
    const context = fieldsOf(event.requestContext)
    const identity = fieldsOf(context.identity)
    const given = textOf(event.path) ?? '/'
    const path = pathOf(event, given) ?? given
    const sent = textOf(context.path) ?? given
    const query = encodedQuery(event.multiValueQueryStringParameters ?? event.queryStringParameters)
    const arn = textOf(identity.userArn) || undefined
    const domain = textOf(context.domainName)
    return {
      method: textOf(event.httpMethod) ?? '',
      rawPath: sent + query,
      routePath: sent === path ? undefined : path + query,
      headers: pairsOf(event.multiValueHeaders ?? event.headers),
      body: textOf(event.body) ?? '',
      isBase64: event.isBase64Encoded === true,
      peer: textOf(identity.sourceIp) ?? '',
      // API Gateway has no listener without TLS.
      secure: true,
      caller: arn === undefined ? undefined : { arn, account: textOf(identity.accountId) },
      requestId: textOf(context.requestId),
      foundAt: domain && `https://${domain}${sent.endsWith(path) ? sent.slice(0, sent.length - path.length) : ''}`,
    }
  },

  toResult: ({ status, headers, body, isBase64 }) => ({
    statusCode: status,
    multiValueHeaders: listedHeaders(headers),
    body,
    isBase64Encoded: isBase64,
  }),
}

/** What of the path that was sent is the path of the API's own resource: a domain of one's own may put another path before it. */
function pathOf({ resource, pathParameters }: Fields, given: string): string | undefined {
  const parameters = fieldsOf(pathParameters)
  const steps = textOf(resource)?.replaceAll(/\{(\w+)\+?\}/g, (_, name: string) => textOf(parameters[name]) ?? '')
  for (let at = given.indexOf('/'); at >= 0 && steps !== undefined; at = given.indexOf('/', at + 1)) {
    const path = given.slice(at)
    if (path === steps || decoded(path) === steps) return path
  }
  return undefined
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    // No URL of ours: it is no path of the resource either.
    return undefined
  }
}

function encodedQuery(parameters: unknown): string {
  const pairs = pairsOf(parameters).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}
