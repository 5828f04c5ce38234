import { Aws, type CfnParameter, Fn, type Stack } from 'aws-cdk-lib'
import { CfnRule } from 'aws-cdk-lib/aws-events'
import { CfnSubscription, CfnTopic, CfnTopicPolicy } from 'aws-cdk-lib/aws-sns'
import { under, whenSet } from './conditions.ts'

/** Where alarms go, with the mail address that is told of them. */
export function alarmTopic(stack: Stack, address: CfnParameter): CfnTopic {
  const topic = new CfnTopic(stack, 'AlarmTopic', { displayName: 'Keyspring' })
  const ofThisAccount = { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } }
  const from = (sid: string, service: string) => ({
    Sid: sid,
    Effect: 'Allow',
    Principal: { Service: service },
    Action: 'sns:Publish',
    Resource: topic.ref,
    Condition: ofThisAccount,
  })
  new CfnTopicPolicy(stack, 'AlarmTopicPolicy', {
    topics: [topic.ref],
    policyDocument: {
      Version: '2012-10-17',
      Statement: [
        from('Alarms', 'cloudwatch.amazonaws.com'),
        from('Rules', 'events.amazonaws.com'),
        {
          Sid: 'OnlyEncrypted',
          Effect: 'Deny',
          Principal: '*',
          Action: 'sns:Publish',
          Resource: topic.ref,
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        },
      ],
    },
  })
  const isMailed = whenSet(stack, 'HasAlarmEmail', address)
  under(
    isMailed,
    new CfnSubscription(stack, 'AlarmMail', {
      topicArn: topic.ref,
      protocol: 'email',
      endpoint: address.valueAsString,
    }),
  )
  return topic
}

/** Tells of whoever is about to lose keys: seen by CloudTrail, so the account needs a trail. */
export function dangerRule(stack: Stack, topicArn: string, keyArn: string, tableName: string): CfnRule {
  return new CfnRule(stack, 'DangerToKeys', {
    description: 'Somebody disables or deletes the KMS key, or takes the protection from the table, or deletes it',
    state: 'ENABLED',
    eventPattern: {
      'detail-type': ['AWS API Call via CloudTrail'],
      $or: [
        {
          source: ['aws.kms'],
          detail: {
            eventName: ['DisableKey', 'ScheduleKeyDeletion', 'DisableKeyRotation', 'PutKeyPolicy'],
            resources: { ARN: [keyArn] },
          },
        },
        {
          source: ['aws.dynamodb'],
          detail: {
            eventName: ['DeleteTable', 'UpdateTable', 'UpdateTimeToLive', 'UpdateContinuousBackups'],
            requestParameters: { tableName: [tableName] },
          },
        },
      ],
    },
    targets: [
      {
        id: 'alarms',
        arn: topicArn,
        inputTransformer: {
          inputPathsMap: { what: '$.detail.eventName', who: '$.detail.userIdentity.arn', when: '$.time' },
          inputTemplate: Fn.sub(
            '"Keyspring ${AWS::StackName}: <what> by <who> at <when>. Without the table or its key every content key is lost."',
          ),
        },
      },
    ],
  })
}
