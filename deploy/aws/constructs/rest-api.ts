import { createHash } from 'node:crypto'
import { CfnDeletionPolicy, Fn, type Stack } from 'aws-cdk-lib'
import * as gateway from 'aws-cdk-lib/aws-apigateway'
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs'

/** One method of an API. */
export interface RouteRow {
  readonly path: string
  readonly method: 'GET' | 'POST' | 'OPTIONS'
  readonly authorization: 'AWS_IAM' | 'NONE'
  /** Whether the request has to carry the key of the usage plan. */
  readonly needsApiKey?: boolean
}

export interface RestApiOptions {
  readonly description: string
  readonly stageName: string
  readonly routes: readonly RouteRow[]
  readonly integration: (route: RouteRow) => gateway.CfnMethod.IntegrationProperty
  readonly requestsPerSecond: number
  readonly burst: number
  readonly logRetentionDays: number
  readonly clientCertificateId?: string
  readonly variables?: Readonly<Record<string, string>>
  /** What says with which role logs are written. */
  readonly stageDescription: string
}

/** What is logged of a request: who, what, how it went. Neither headers, nor a query, nor a body: those hold tokens and keys. */
const ACCESS_LOG = JSON.stringify({
  requestId: '$context.requestId',
  extendedRequestId: '$context.extendedRequestId',
  time: '$context.requestTime',
  caller: '$context.identity.userArn',
  account: '$context.identity.accountId',
  ip: '$context.identity.sourceIp',
  userAgent: '$context.identity.userAgent',
  tls: '$context.tlsVersion',
  method: '$context.httpMethod',
  route: '$context.resourcePath',
  path: '$context.path',
  status: '$context.status',
  error: '$context.error.responseType',
  integrationError: '$context.integration.error',
  latencyMs: '$context.responseLatency',
  integrationLatencyMs: '$context.integration.latency',
  responseBytes: '$context.responseLength',
})

/** A regional REST API with one stage. Its deployment has another id whenever something in it changes: only so CloudFormation deploys it. */
export function restApi(stack: Stack, id: string, options: RestApiOptions) {
  const { description, stageName, routes, requestsPerSecond, burst } = options
  const apiProps = {
    name: Fn.sub(`\${AWS::StackName}-${id}`),
    description,
    endpointConfiguration: { types: ['REGIONAL'] },
    // Bytes go through as they are, whatever a player's Accept says: without this a key of 16 bytes becomes broken text.
    binaryMediaTypes: ['*/*'],
    securityPolicy: 'SecurityPolicy_TLS13_1_2_2021_06',
    endpointAccessMode: 'BASIC',
  }
  const api = new gateway.CfnRestApi(stack, id, apiProps)
  const resources = pathResources(stack, id, api, routes)
  const methodProps = routes.map((route) => ({
    restApiId: api.ref,
    resourceId: resources.get(route.path)?.ref ?? api.attrRootResourceId,
    httpMethod: route.method,
    authorizationType: route.authorization,
    apiKeyRequired: route.needsApiKey ?? false,
    integration: options.integration(route),
  }))
  const methods = methodProps.map((props, i) => {
    const { path, method } = routes[i] as RouteRow
    return new gateway.CfnMethod(stack, `${id}${idOf(path)}${method}`, props)
  })
  const hash = createHash('sha256').update(JSON.stringify(stack.resolve([apiProps, routes, methodProps])))
  const deployment = new gateway.CfnDeployment(stack, `${id}Deployment${hash.digest('hex').slice(0, 12)}`, {
    restApiId: api.ref,
    description,
  })
  for (const method of methods) deployment.addResourceDependency(method)

  const logGroup = new CfnLogGroup(stack, `${id}AccessLog`, { retentionInDays: options.logRetentionDays })
  // API Gateway would make it itself, and keep what it holds for ever.
  const executionLog = new CfnLogGroup(stack, `${id}ExecutionLog`, {
    logGroupName: Fn.sub(`API-Gateway-Execution-Logs_\${Api}/${stageName}`, { Api: api.ref }),
    retentionInDays: options.logRetentionDays,
  })
  for (const { cfnOptions } of [logGroup, executionLog]) {
    cfnOptions.deletionPolicy = CfnDeletionPolicy.RETAIN
    cfnOptions.updateReplacePolicy = CfnDeletionPolicy.RETAIN
  }
  const stage = new gateway.CfnStage(stack, `${id}Stage`, {
    restApiId: api.ref,
    deploymentId: deployment.ref,
    stageName,
    description: options.stageDescription,
    clientCertificateId: options.clientCertificateId,
    variables: options.variables && { ...options.variables },
    tracingEnabled: true,
    accessLogSetting: { destinationArn: logGroup.attrArn, format: ACCESS_LOG },
    methodSettings: [
      {
        resourcePath: '/*',
        httpMethod: '*',
        throttlingRateLimit: requestsPerSecond,
        throttlingBurstLimit: burst,
        metricsEnabled: true,
        loggingLevel: 'ERROR',
        // A data trace writes bodies into a log: keys.
        dataTraceEnabled: false,
        cachingEnabled: false,
        // Of a cache that is off; a rule set looks at it all the same.
        cacheDataEncrypted: true,
      },
    ],
  })
  stage.addResourceDependency(executionLog)
  return { api, stage, all: [api, ...resources.values(), ...methods, deployment, logGroup, executionLog, stage] }
}

/** The ARN by which IAM names a method of an API: `*` for any stage, path variables as `*`. */
export function methodArn(
  api: gateway.CfnRestApi,
  stageName: string,
  { method, path }: Pick<RouteRow, 'method' | 'path'>,
): string {
  const called = path.replace(/\{[^}]*\}/g, '*')
  return Fn.sub(
    `arn:\${AWS::Partition}:execute-api:\${AWS::Region}:\${AWS::AccountId}:\${Api}/${stageName}/${method}${called}`,
    {
      Api: api.ref,
    },
  )
}

/** Where an API is called. */
export function stageUrl(api: gateway.CfnRestApi, stageName: string): string {
  return Fn.sub(`https://\${Api}.execute-api.\${AWS::Region}.\${AWS::URLSuffix}/${stageName}`, { Api: api.ref })
}

function pathResources(stack: Stack, id: string, api: gateway.CfnRestApi, routes: readonly RouteRow[]) {
  const resources = new Map<string, gateway.CfnResource>()
  for (const { path } of routes) {
    let parentId = api.attrRootResourceId
    let walked = ''
    for (const pathPart of path.split('/').slice(1)) {
      walked = `${walked}/${pathPart}`
      const known = resources.get(walked)
      const resource =
        known ?? new gateway.CfnResource(stack, `${id}${idOf(walked)}`, { restApiId: api.ref, parentId, pathPart })
      resources.set(walked, resource)
      parentId = resource.ref
    }
  }
  return resources
}

/** `/speke/v2.0/copyProtection` is SpekeV20CopyProtection. */
function idOf(path: string): string {
  return path
    .split(/[^A-Za-z0-9.]+/)
    .map((part) => part.replaceAll('.', ''))
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1))
    .join('')
}
