import { Aws, CfnCondition, type CfnParameter, Fn, type Stack } from 'aws-cdk-lib'
import type { CfnRole } from 'aws-cdk-lib/aws-iam'
import { isSet, only, under, whenEqual, whenSet } from './conditions.ts'
import type { ENCRYPTOR_PARAMETERS } from './parameter-table.ts'
import { policy, role } from './roles.ts'
import type { Statement } from './statements.ts'

export interface EncryptorRoles {
  readonly mediaPackage: CfnRole
  readonly mediaConvert: CfnRole
  readonly mediaConnect: CfnRole
  readonly bitmovin: CfnRole
  /** Whether the last is there. */
  readonly hasBitmovin: CfnCondition
}

/** The user with which Bitmovin's encoders come, as their documentation names it. */
const BITMOVIN = 'arn:aws:iam::630681592166:user/bitmovinCustomerSpekeAccess'

/** The roles that encryptors assume to call these methods of an API. Each may call them, and nothing else but what is said here. */
export function encryptorRoles(
  stack: Stack,
  parameters: Readonly<Record<keyof typeof ENCRYPTOR_PARAMETERS, CfnParameter>>,
  methodArns: readonly string[],
): EncryptorRoles {
  const isRegional = whenEqual(stack, 'TrustsRegionalPrincipals', parameters.RegionalPrincipals, 'true')
  const needsAccount = whenEqual(stack, 'RequiresSourceAccount', parameters.RequireSourceAccount, 'true')
  const hasBitmovin = whenSet(stack, 'HasBitmovin', parameters.BitmovinExternalId)
  const calls: Statement = { Sid: 'AskForKeys', Effect: 'Allow', Action: ['execute-api:Invoke'], Resource: methodArns }

  const serviceRole = (
    id: string,
    product: string,
    services: readonly string[],
    ...more: readonly (Statement | string)[]
  ) =>
    role(stack, id, {
      description: `${product} assumes it to ask Keyspring for keys`,
      principal: {
        Service: services.flatMap((service) => [
          `${service}.amazonaws.com`,
          only(isRegional, Fn.sub(`${service}.\${AWS::Region}.amazonaws.com`)),
        ]),
      },
      trustCondition: only(needsAccount, { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } }),
      policies: [policy('ask-for-keys', calls, ...more)],
    })

  const bitmovin = role(stack, 'BitmovinInvokeSPEKERole', {
    description: 'Bitmovin assumes it to ask Keyspring for keys',
    principal: { AWS: BITMOVIN },
    trustCondition: { StringEquals: { 'sts:ExternalId': parameters.BitmovinExternalId.valueAsString } },
    policies: [policy('ask-for-keys', calls)],
  })
  under(hasBitmovin, bitmovin)

  return {
    mediaPackage: serviceRole('MediaPackageInvokeSPEKERole', 'MediaPackage, v1 and v2,', [
      'mediapackage',
      'mediapackagev2',
    ]),
    mediaConvert: serviceRole(
      'MediaConvertInvokeSPEKERole',
      'MediaConvert',
      ['mediaconvert'],
      ...bucketStatements(stack, parameters),
    ),
    mediaConnect: serviceRole('MediaConnectInvokeSPEKERole', 'MediaConnect', ['mediaconnect']),
    bitmovin,
    hasBitmovin,
  }
}

/** MediaConvert signs with the role of the job, which reads sources and writes streams too: of the buckets that are named. */
function bucketStatements(
  stack: Stack,
  {
    MediaConvertInputBucketArns,
    MediaConvertOutputBucketArns,
  }: Readonly<Record<keyof typeof ENCRYPTOR_PARAMETERS, CfnParameter>>,
): readonly string[] {
  const reads = new CfnCondition(stack, 'MediaConvertReads', { expression: isSet(MediaConvertInputBucketArns) })
  const writes = new CfnCondition(stack, 'MediaConvertWrites', { expression: isSet(MediaConvertOutputBucketArns) })
  return [
    only(
      reads,
      allow('FindSources', ['s3:ListBucket', 's3:GetBucketLocation'], MediaConvertInputBucketArns.valueAsList),
    ),
    only(reads, allow('ReadSources', ['s3:GetObject'], objectsOf(MediaConvertInputBucketArns))),
    only(
      writes,
      allow('FindStreams', ['s3:ListBucket', 's3:GetBucketLocation'], MediaConvertOutputBucketArns.valueAsList),
    ),
    only(writes, allow('WriteStreams', ['s3:PutObject'], objectsOf(MediaConvertOutputBucketArns))),
  ]
}

function allow(sid: string, actions: readonly string[], resource: unknown): Statement {
  return { Sid: sid, Effect: 'Allow', Action: actions, Resource: resource }
}

/** The objects of every bucket of a list. */
function objectsOf(buckets: CfnParameter): readonly string[] {
  return Fn.split(',', Fn.sub('${Inner}/*', { Inner: Fn.join('/*,', buckets.valueAsList) }))
}
