import { type EventKind, fieldsOf, joinedHeaders, listedHeaders, pairsOf, textOf } from './event-kind.ts'

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
