import { type CfnCondition, Fn, type Stack } from 'aws-cdk-lib'
import type { CfnRestApi, CfnStage } from 'aws-cdk-lib/aws-apigateway'
import { CfnWebACL, CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2'
import { under } from './conditions.ts'

/** Requests of one address in five minutes: an encryptor with thousands of channels stays below. */
const REQUESTS_OF_ONE_ADDRESS = 100_000

/**
 * A Web ACL for encryptors. Not in it, for they would refuse what it is for: AWSManagedRulesCommonRuleSet (bodies above 8 KB, a
 * request for 500 keys has 190), and AWSManagedRulesAnonymousIpList (addresses of clouds, which encryptors have).
 */
export function encryptorWebAcl(stack: Stack, isMade: CfnCondition, api: CfnRestApi, stage: CfnStage): CfnWebACL {
  const visibility = (metricName: string) => ({
    cloudWatchMetricsEnabled: true,
    metricName,
    // A sample holds headers: signatures of callers.
    sampledRequestsEnabled: false,
  })
  const acl = new CfnWebACL(stack, 'EncryptorWebAcl', {
    scope: 'REGIONAL',
    defaultAction: { allow: {} },
    visibilityConfig: visibility('keyspring-encryptors'),
    rules: [
      {
        name: 'requests-of-one-address',
        priority: 0,
        action: { block: {} },
        statement: { rateBasedStatement: { aggregateKeyType: 'IP', limit: REQUESTS_OF_ONE_ADDRESS } },
        visibilityConfig: visibility('keyspring-requests-of-one-address'),
      },
      {
        name: 'known-bad-inputs',
        priority: 1,
        overrideAction: { none: {} },
        statement: {
          managedRuleGroupStatement: { vendorName: 'AWS', name: 'AWSManagedRulesKnownBadInputsRuleSet' },
        },
        visibilityConfig: visibility('keyspring-known-bad-inputs'),
      },
    ],
  })
  const association = new CfnWebACLAssociation(stack, 'EncryptorWebAclAssociation', {
    webAclArn: acl.attrArn,
    resourceArn: Fn.sub('arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${Api}/stages/${Stage}', {
      Api: api.ref,
      Stage: stage.ref,
    }),
  })
  under(isMade, acl, association)
  return acl
}
