/** The least that the console has to be told. */
export const CODE = { CodeBucket: 'my-code', CodeKey: 'keyspring-0123456789ab.zip' }

const DOMAIN = {
  ...CODE,
  PlayerDomainName: 'keys.example.com',
  PlayerCertificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555',
  PlayerOrigins: 'https://player.example.com,https://www.example.com',
}

/** Players with tokens. */
export const JWT = {
  ...DOMAIN,
  PlayerAccess: 'jwt',
  PlayerJwksUrl: 'https://login.example.com/.well-known/jwks.json',
}

/** Players with signed cookies or URLs. */
export const SIGNED = {
  ...DOMAIN,
  PlayerAccess: 'signed',
  PlayerPublicKey: 'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA AQAB',
}

/** With keys that come from one secret of all regions. */
export const ROOT = { ...CODE, RootSecretArn: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:root-AbCdEf' }

/** Everything that can be asked for at once. */
export const EVERYTHING = {
  ...JWT,
  PlayerJwtSecretArn: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:player-tokens-AbCdEf',
  PlayerTokenCookie: 'playback',
  PlayerWebAclArn: 'arn:aws:wafv2:us-east-1:123456789012:global/webacl/players/11111111-2222-3333-4444-555555555555',
  PlayerConcurrency: 200,
  LiveContentIds: 'live-*,event-1',
  LiveRetentionDays: 14,
  EventBusName: 'media',
  AlarmEmail: 'ops@example.com',
  WebAcl: 'true',
  BitmovinExternalId: 'a-text-of-our-own',
  RegionalPrincipals: 'true',
  RequireSourceAccount: 'true',
  MediaConvertInputBucketArns: 'arn:aws:s3:::my-sources,arn:aws:s3:::more-sources',
  MediaConvertOutputBucketArns: 'arn:aws:s3:::my-streams',
}

/** On top of what an earlier stack left. */
export const AGAIN = {
  ...CODE,
  ApiGatewayLogRole: 'exists',
  ExistingTableName: 'keys-Table-1A2B3C',
  ExistingKeyArn: 'arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555',
}

/** In front of nodes of one's own. */
export const NODES = { KeyspringUrl: 'https://keyspring.example.com:8443' }
