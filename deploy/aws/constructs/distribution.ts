import { type CfnCondition, type CfnParameter, Fn, type Stack } from 'aws-cdk-lib'
import type { CfnRestApi } from 'aws-cdk-lib/aws-apigateway'
import { CfnDistribution, CfnResponseHeadersPolicy } from 'aws-cdk-lib/aws-cloudfront'
import { only, onlyAny, under } from './conditions.ts'

export interface DistributionOptions {
  readonly api: CfnRestApi
  readonly stageName: string
  /** What CloudFront sends as X-Api-Key. */
  readonly originKey: string
  readonly domainName: string
  readonly certificateArn: string
  readonly keyGroupId: string
  readonly origins: CfnParameter
  readonly webAclArn: string
  /** Whether there is a distribution at all, cookies are checked, pages are let in, there is a Web ACL. */
  readonly isMade: CfnCondition
  readonly isSigned: CfnCondition
  readonly hasOrigins: CfnCondition
  readonly hasWebAcl: CfnCondition
}

/** Policies of CloudFront itself. @see https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html */
const CACHING_DISABLED = '4135ea2d-6df8-44a3-9df3-4b5a84be39ad'
const ALL_VIEWER_EXCEPT_HOST = 'b689b0a8-53d0-40ab-baf2-68738e2966ac'

const ORIGIN = 'api'
const YEAR_SECONDS = 31_536_000

/** CloudFront knows three sets of methods; POST comes with all of them, and the API serves what it has. */
const READING = ['GET', 'HEAD', 'OPTIONS']
const ALL_METHODS = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'POST', 'DELETE']

/** The edge that players call: nothing is kept, every request is asked of the API, which serves nobody else. */
export function distribution(stack: Stack, options: DistributionOptions) {
  const { api, isMade, isSigned, hasWebAcl } = options
  const headers = responseHeaders(stack, options)

  const behavior = (allowedMethods: readonly string[]) => ({
    targetOriginId: ORIGIN,
    // A redirect would come after cookies and signed URLs were sent in the clear.
    viewerProtocolPolicy: 'https-only',
    allowedMethods: [...allowedMethods],
    cachePolicyId: CACHING_DISABLED,
    originRequestPolicyId: ALL_VIEWER_EXCEPT_HOST,
    responseHeadersPolicyId: headers.ref,
    compress: false,
    trustedKeyGroups: onlyAny(isSigned, [options.keyGroupId]),
  })
  const cdn = new CfnDistribution(stack, 'Distribution', {
    distributionConfig: {
      enabled: true,
      comment: Fn.sub('Keyspring ${AWS::StackName}: keys and licences for players'),
      httpVersion: 'http2and3',
      ipv6Enabled: true,
      aliases: [options.domainName],
      viewerCertificate: {
        acmCertificateArn: options.certificateArn,
        sslSupportMethod: 'sni-only',
        minimumProtocolVersion: 'TLSv1.2_2021',
      },
      webAclId: only(hasWebAcl, options.webAclArn),
      origins: [
        {
          id: ORIGIN,
          domainName: Fn.sub('${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}', { Api: api.ref }),
          originPath: `/${options.stageName}`,
          customOriginConfig: { originProtocolPolicy: 'https-only', originSslProtocols: ['TLSv1.2'] },
          originCustomHeaders: [{ headerName: 'X-Api-Key', headerValue: options.originKey }],
        },
      ],
      defaultCacheBehavior: behavior(READING),
      cacheBehaviors: [
        { pathPattern: '/keys/*', ...behavior(READING) },
        { pathPattern: '/license/*', ...behavior(ALL_METHODS) },
      ],
    },
  })
  under(isMade, headers, cdn)
  return cdn
}

/** What CloudFront adds to every answer, its own refusals too: a page that may not read a refusal sees a network failure. */
function responseHeaders(stack: Stack, { origins, hasOrigins }: DistributionOptions): CfnResponseHeadersPolicy {
  return new CfnResponseHeadersPolicy(stack, 'PlayerHeaders', {
    responseHeadersPolicyConfig: {
      // CloudFront has one list of names for all regions.
      name: Fn.sub('${AWS::StackName}-${AWS::Region}-players'),
      corsConfig: onlyAny(hasOrigins, {
        AccessControlAllowCredentials: true,
        AccessControlAllowHeaders: { Items: ['Authorization', 'Content-Type'] },
        AccessControlAllowMethods: { Items: ['GET', 'HEAD', 'POST', 'OPTIONS'] },
        AccessControlAllowOrigins: { Items: origins.valueAsList },
        AccessControlExposeHeaders: { Items: ['Retry-After', 'X-Request-Id'] },
        AccessControlMaxAgeSec: 7_200,
        OriginOverride: true,
      }),
      securityHeadersConfig: {
        contentTypeOptions: { override: true },
        strictTransportSecurity: { accessControlMaxAgeSec: YEAR_SECONDS, includeSubdomains: false, override: true },
      },
    },
  })
}
