import { type CfnCondition, CfnDeletionPolicy, type CfnResource, Fn, type Stack } from 'aws-cdk-lib'
import { CfnTable } from 'aws-cdk-lib/aws-dynamodb'
import { CfnKey } from 'aws-cdk-lib/aws-kms'
import { under } from './conditions.ts'

/** Where keys are: names of the table and the KMS key, whether the stack made them or they were there before. */
export interface Storage {
  readonly tableName: string
  readonly tableArn: string
  readonly keyArn: string
}

export interface StorageOptions {
  readonly existingTableName: string
  readonly existingKeyArn: string
  readonly makesTable: CfnCondition
  readonly makesKey: CfnCondition
}

/** The table and its KMS key. They outlive the stack: without either of them every key is lost. */
export function storage(stack: Stack, options: StorageOptions): Storage {
  const { existingTableName, existingKeyArn, makesTable, makesKey } = options
  const key = new CfnKey(stack, 'Key', {
    description: Fn.sub('Keyspring ${AWS::StackName}: wraps the data keys that content keys are sealed with'),
    enableKeyRotation: true,
    pendingWindowInDays: 30,
    keyPolicy: {
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'TheAccountDecidesByIamPolicies',
          Effect: 'Allow',
          Principal: { AWS: Fn.sub('arn:${AWS::Partition}:iam::${AWS::AccountId}:root') },
          Action: 'kms:*',
          Resource: '*',
        },
        {
          // DynamoDB needs a grant for the table; anybody else who could give one would hand the key on.
          Sid: 'GrantsAreForServicesAlone',
          Effect: 'Deny',
          Principal: { AWS: '*' },
          Action: 'kms:CreateGrant',
          Resource: '*',
          Condition: { BoolIfExists: { 'kms:GrantIsForAWSResource': 'false', 'aws:PrincipalIsAWSService': 'false' } },
        },
      ],
    },
  })
  const keyArn = Fn.conditionIf(makesKey.logicalId, key.attrArn, existingKeyArn).toString()
  const table = new CfnTable(stack, 'Table', {
    billingMode: 'PAY_PER_REQUEST',
    attributeDefinitions: [
      { attributeName: 'pk', attributeType: 'S' },
      { attributeName: 'sk', attributeType: 'S' },
    ],
    keySchema: [
      { attributeName: 'pk', keyType: 'HASH' },
      { attributeName: 'sk', keyType: 'RANGE' },
    ],
    timeToLiveSpecification: { attributeName: 'ttl', enabled: true },
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    sseSpecification: { sseEnabled: true, sseType: 'KMS', kmsMasterKeyId: keyArn },
    deletionProtectionEnabled: true,
  })
  under(makesKey, key)
  under(makesTable, table)
  keep(key, table)
  const tableName = Fn.conditionIf(makesTable.logicalId, table.ref, existingTableName).toString()
  return {
    keyArn,
    tableName,
    tableArn: Fn.sub('arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Name}', {
      Name: tableName,
    }),
  }
}

function keep(...resources: readonly CfnResource[]): void {
  for (const { cfnOptions } of resources) {
    cfnOptions.deletionPolicy = CfnDeletionPolicy.RETAIN
    cfnOptions.updateReplacePolicy = CfnDeletionPolicy.RETAIN
  }
}
