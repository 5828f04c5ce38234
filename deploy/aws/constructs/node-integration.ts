import type { CfnMethod } from 'aws-cdk-lib/aws-apigateway'
import type { RouteRow } from './rest-api.ts'

const TIMEOUT_MS = 10_000

/**
 * A node answers, with its own status and headers. The headers that say who called are set here, whatever the caller sent.
 * @see docs/guides/authenticate-callers.md
 */
export function nodeIntegration({ method, path }: RouteRow): CfnMethod.IntegrationProperty {
  return {
    type: 'HTTP_PROXY',
    integrationHttpMethod: method,
    uri: `https://\${stageVariables.host}${path}`,
    timeoutInMillis: TIMEOUT_MS,
    requestParameters: {
      'integration.request.header.X-Speke-Caller-Arn': 'context.identity.userArn',
      'integration.request.header.X-Speke-Account': 'context.identity.accountId',
      'integration.request.header.X-Keyspring-Gateway-Secret': 'stageVariables.secret',
    },
  }
}
