/** A finding that stands and why. A test fails on every finding that is not here, and on every row that nothing finds. */
export interface AcceptedFinding {
  readonly rule: string
  /** What it is found at, as `template/resource`. */
  readonly at: readonly string[]
  readonly reason: string
}

const SERVERLESS = 'keyspring-serverless'
const GATEWAY = 'keyspring-gateway'
const SPEKE_METHODS = [
  'SpekeApiCopyProtectionPOST',
  'SpekeApiSpekeV10CopyProtectionPOST',
  'SpekeApiSpekeV20CopyProtectionPOST',
  'SpekeApiSpekeV21CopyProtectionPOST',
  'SpekeApiHeartbeatGET',
  'SpekeApiSpekeV10HeartbeatGET',
]
const of = (template: string, ...resources: readonly string[]) => resources.map((name) => `${template}/${name}`)

/** Of the CloudFormation checks of the CDK itself, which stop the synthesis. */
export const ACCEPTED_BY_CDK: readonly AcceptedFinding[] = [
  {
    rule: 'F3033',
    at: of(SERVERLESS, 'AlarmTableReadsThrottled', 'AlarmTableWritesThrottled'),
    reason:
      'It reads the default of ExistingTableName, which is empty only where the name comes from the table of the stack',
  },
  {
    rule: 'E3013',
    at: of(SERVERLESS, 'Distribution'),
    reason:
      'It reads the default of PlayerDomainName, which the rule PlayersNeedADomain refuses where there is a distribution',
  },
  { rule: 'W2509', at: [SERVERLESS, GATEWAY], reason: 'The parameter is the ARN of a secret, not the secret' },
  { rule: 'W1001', at: [SERVERLESS], reason: 'The reference stands inside an Fn::If of the very condition' },
]

/** Of cdk-nag, the pack AwsSolutions. */
export const ACCEPTED_BY_NAG: readonly AcceptedFinding[] = [
  {
    rule: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
    at: [...of(SERVERLESS, 'RoleOfApiGatewayLogs'), ...of(GATEWAY, 'RoleOfApiGatewayLogs')],
    reason: 'API Gateway takes this role for the logs of every API of the account, and names this policy for it',
  },
  {
    rule: 'AwsSolutions-IAM5[Resource::*]',
    at: of(SERVERLESS, 'IssuerRole', 'PlayerRole', 'SweeperRole', 'WatcherRole'),
    reason: 'X-Ray: its two actions take no resource',
  },
  {
    rule: 'AwsSolutions-IAM5[Resource::log-group:*]',
    at: of(SERVERLESS, 'IssuerRole', 'PlayerRole', 'SweeperRole', 'WatcherRole'),
    reason: 'The streams of the one log group of the function; Lambda names them itself',
  },
  {
    rule: 'AwsSolutions-APIG2',
    at: [...of(SERVERLESS, 'SpekeApi', 'PlayerApi'), ...of(GATEWAY, 'SpekeApi')],
    reason: 'API Gateway can validate JSON; documents are XML, and Keyspring reads them strictly, with limits',
  },
  {
    rule: 'AwsSolutions-APIG3',
    at: of(SERVERLESS, 'PlayerApiStage'),
    reason: 'Only CloudFront can call it: a Web ACL belongs there, PlayerWebAclArn names it',
  },
  {
    rule: 'AwsSolutions-APIG4',
    at: of(
      SERVERLESS,
      'PlayerApiKeysTenantContentKidGET',
      'PlayerApiKeysTenantContentKidOPTIONS',
      'PlayerApiLicenseClearkeyTenantContentPOST',
      'PlayerApiLicenseClearkeyTenantContentOPTIONS',
    ),
    reason:
      'Players have no IAM: CloudFront or Keyspring checks them, and the API wants the key that CloudFront alone has',
  },
  {
    rule: 'AwsSolutions-COG4',
    at: [
      ...of(
        SERVERLESS,
        ...SPEKE_METHODS,
        'PlayerApiKeysTenantContentKidGET',
        'PlayerApiLicenseClearkeyTenantContentPOST',
      ),
      ...of(GATEWAY, ...SPEKE_METHODS),
    ],
    reason: 'Encryptors sign with IAM roles, players bring cookies or tokens: neither has a Cognito user pool',
  },
  {
    rule: 'AwsSolutions-SMG4',
    at: of(SERVERLESS, 'OriginKeySecretA', 'OriginKeySecretB'),
    reason: 'CloudFront and API Gateway hold its value: it is changed by an update of the stack, PlayerOriginKey',
  },
  {
    rule: 'AwsSolutions-CFR1',
    at: of(SERVERLESS, 'Distribution'),
    reason: 'Where viewers may be is for the one who signs their cookies or tokens',
  },
  {
    rule: 'AwsSolutions-CFR3',
    at: of(SERVERLESS, 'Distribution'),
    reason:
      'Logs of CloudFront hold whole queries: signed URLs and tokens. Nothing is cached, so the log of the API has every request',
  },
]

/** Of the rules of Control Tower, by cfn-guard. The template of the reference server fails 16 of them. */
export const ACCEPTED_BY_GUARD: readonly AcceptedFinding[] = [
  {
    rule: 'cloudfront_default_root_object_configured_check',
    at: [SERVERLESS],
    reason: 'There is no root: the paths of keys and licences are everything there is',
  },
  {
    rule: 'cloudfront_origin_failover_enabled_check',
    at: [SERVERLESS],
    reason: 'The other origin would be a stack in another region: the guide on AWS says how',
  },
  {
    rule: 'cloudfront_access_logs_enabled_check',
    at: [SERVERLESS],
    reason:
      'Logs of CloudFront hold whole queries: signed URLs and tokens. Nothing is cached, so the log of the API has every request',
  },
  {
    rule: 'cloudfront_custom_ssl_certificate_check',
    at: [SERVERLESS],
    reason: 'It wants the ARN as text; it is a parameter, and the rule PlayersNeedADomain refuses an empty one',
  },
  {
    rule: 'cloudfront_sni_enabled_check',
    at: [SERVERLESS],
    reason: 'As above: sni-only and TLSv1.2_2021 are set, the ARN is a parameter',
  },
  {
    rule: 'cloudwatch_log_group_retention_period_check',
    at: [SERVERLESS, GATEWAY],
    reason: 'It wants a year as a number; the operator chooses, for logs name contents and callers',
  },
  {
    rule: 'cloudwatch_log_group_encrypted_check',
    at: [SERVERLESS, GATEWAY],
    reason: 'CloudWatch encrypts them. No log holds a key, and the KMS key of content keys serves nothing else',
  },
  {
    rule: 'lambda_function_public_access_prohibited_check',
    at: [SERVERLESS],
    reason: 'It wants the account as text; SourceAccount and SourceArn are set, by reference',
  },
  {
    rule: 'lambda_inside_vpc_check',
    at: [SERVERLESS],
    reason:
      'The functions speak to DynamoDB and KMS alone, by IAM over TLS; a VPC would add endpoints and hold back cold starts',
  },
]
