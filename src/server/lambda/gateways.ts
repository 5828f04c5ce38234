import {
  type EventKind,
  type Fields,
  fieldsOf,
  joinedHeaders,
  LAMBDA_RESULT_BYTES,
  listedHeaders,
  pairsOf,
  textOf,
} from './event-kind.ts'

/**
 * An HTTP API of API Gateway and a function URL, payload 2.0: headers in lower case, repeated ones joined, cookies apart, the query
 * as it was sent. A function URL gives the path as it was sent, an HTTP API decoded.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 */
export const httpApi: EventKind = {
  name: 'API Gateway HTTP API or function URL',
  maxResultBytes: LAMBDA_RESULT_BYTES,

  recognizes: ({ version, requestContext }) =>
    version === '2.0' && typeof fieldsOf(fieldsOf(requestContext).http).method === 'string',

  toRequest(event) {
    const context = fieldsOf(event.requestContext)
    const http = fieldsOf(context.http)
    const iam = fieldsOf(fieldsOf(context.authorizer).iam)
    const path = encodedPath(textOf(event.rawPath) ?? '/')
    const query = textOf(event.rawQueryString) ?? ''
    const sent = query === '' ? path : `${path}?${query}`
    const stage = `/${textOf(context.stage) ?? '$default'}`
    const isBelowStage = path === stage || path.startsWith(`${stage}/`)
    const cookies = Array.isArray(event.cookies) ? event.cookies.filter((one) => typeof one === 'string') : []
    const arn = textOf(iam.userArn) || undefined
    const domain = textOf(context.domainName)
    return {
      method: textOf(http.method) ?? '',
      rawPath: sent,
      routePath: isBelowStage ? sent.slice(stage.length) : undefined,
      headers: [...pairsOf(event.headers), ...(cookies.length === 0 ? [] : [['cookie', cookies.join('; ')] as const])],
      body: textOf(event.body) ?? '',
      isBase64: event.isBase64Encoded === true,
      peer: textOf(http.sourceIp) ?? '',
      // Neither has a listener without TLS.
      secure: true,
      caller: arn === undefined ? undefined : { arn, account: textOf(iam.accountId) },
      requestId: textOf(context.requestId),
      foundAt: domain && `https://${domain}${isBelowStage ? stage : ''}`,
    }
  },

  toResult({ status, headers, body, isBase64 }) {
    const cookies = headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)
    return {
      statusCode: status,
      headers: joinedHeaders(headers.filter(([name]) => name !== 'set-cookie')),
      ...(cookies.length > 0 && { cookies }),
      body,
      isBase64Encoded: isBase64,
    }
  },
}

/** Encodes what no path that was sent has as it is; a path that is encoded stays as it is. */
function encodedPath(path: string): string {
  return path.replaceAll(/%(?![0-9a-f]{2})|[^\x21-\x7e%]+|[?#]/gi, (text) => encodeURIComponent(text.toWellFormed()))
}

/**
 * An Application Load Balancer, with headers of one value or of several, as its target group is set. It passes path and query as they
 * were sent, and puts the address and protocol of its peer behind whatever the caller said of itself.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
 */
export const loadBalancer: EventKind = {
  name: 'Application Load Balancer',
  maxResultBytes: 1_024 * 1_024,

  recognizes: ({ requestContext }) => fieldsOf(requestContext).elb !== undefined,

  toRequest(event) {
    const headers = pairsOf(event.multiValueHeaders ?? event.headers)
    const last = (name: string): string | undefined => {
      const value = headers.findLast(([given]) => given.toLowerCase() === name)?.[1]
      return value?.split(',').at(-1)?.trim()
    }
    const query = pairsOf(event.multiValueQueryStringParameters ?? event.queryStringParameters)
      .map(([name, value]) => `${name}=${value}`)
      .join('&')
    const path = textOf(event.path) ?? '/'
    return {
      method: textOf(event.httpMethod) ?? '',
      rawPath: query === '' ? path : `${path}?${query}`,
      routePath: undefined,
      headers,
      body: textOf(event.body) ?? '',
      isBase64: event.isBase64Encoded === true,
      peer: last('x-forwarded-for') ?? '',
      secure: last('x-forwarded-proto') === 'https',
      caller: undefined,
      requestId: last('x-amzn-trace-id'),
      foundAt: undefined,
    }
  },

  toResult: ({ status, headers, body, isBase64 }, event) => ({
    statusCode: status,
    statusDescription: `${status} ${status < 400 ? 'OK' : 'Error'}`,
    ...(event.multiValueHeaders === undefined
      ? { headers: joinedHeaders(headers) }
      : { multiValueHeaders: listedHeaders(headers) }),
    body,
    isBase64Encoded: isBase64,
  }),
}

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
