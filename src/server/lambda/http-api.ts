import { type EventKind, fieldsOf, joinedHeaders, LAMBDA_RESULT_BYTES, pairsOf, textOf } from './event-kind.ts'

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
