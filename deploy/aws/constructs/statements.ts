import { Fn } from 'aws-cdk-lib'
import type { Storage } from './storage.ts'

/** One statement of a policy, as IAM reads it. */
export interface Statement {
  readonly Sid: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Action: readonly string[]
  readonly Resource: unknown
  readonly Condition?: unknown
}

/** What a function may do with the store. */
export interface StoreRights {
  readonly table: readonly string[]
  /** Of data keys, called directly. */
  readonly dataKeys: readonly string[]
  /** Of the table's own key, called by DynamoDB for the function. */
  readonly tableKey: readonly string[]
}

/** Answers encryptors: makes secrets and data keys. It cannot look through the table, nor delete it. */
export const ISSUER_RIGHTS: StoreRights = {
  table: ['GetItem', 'BatchGetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem'],
  dataKeys: ['GenerateDataKey', 'Decrypt'],
  tableKey: ['Decrypt', 'Encrypt', 'GenerateDataKey', 'DescribeKey'],
}

/** Answers players: reads, and can neither write nor make a data key. */
export const PLAYER_RIGHTS: StoreRights = {
  table: ['GetItem', 'BatchGetItem', 'Query'],
  dataKeys: ['Decrypt'],
  tableKey: ['Decrypt', 'DescribeKey'],
}

/** Destroys what expired: it has to look for it. */
export const SWEEPER_RIGHTS: StoreRights = {
  table: [...ISSUER_RIGHTS.table, 'Scan'],
  dataKeys: ['Decrypt'],
  tableKey: ISSUER_RIGHTS.tableKey,
}

/** Looks for rotations that did not come: it reads the ledger, and writes down what it told of. */
export const WATCHER_RIGHTS: StoreRights = {
  table: ['GetItem', 'Query', 'PutItem'],
  dataKeys: ['Decrypt'],
  tableKey: ISSUER_RIGHTS.tableKey,
}

/** The statements of these rights. KMS keys open only what they are named for: data keys of Keyspring, and this table. */
export function storeStatements({ tableArn, tableName, keyArn }: Storage, rights: StoreRights): readonly Statement[] {
  return [
    { Sid: 'Items', Effect: 'Allow', Action: rights.table.map((name) => `dynamodb:${name}`), Resource: tableArn },
    {
      Sid: 'DataKeys',
      Effect: 'Allow',
      Action: rights.dataKeys.map((name) => `kms:${name}`),
      Resource: keyArn,
      Condition: { StringEquals: { 'kms:EncryptionContext:use': 'data-key' } },
    },
    {
      Sid: 'EncryptionOfTheTable',
      Effect: 'Allow',
      Action: rights.tableKey.map((name) => `kms:${name}`),
      Resource: keyArn,
      Condition: {
        StringEquals: {
          'kms:ViaService': Fn.sub('dynamodb.${AWS::Region}.${AWS::URLSuffix}'),
          'kms:EncryptionContext:aws:dynamodb:tableName': tableName,
        },
      },
    },
  ]
}

/** What every function does: its own log, and traces, which IAM can limit to no resource. */
export function runStatements(logGroupName: string): readonly Statement[] {
  return [
    {
      Sid: 'OwnLog',
      Effect: 'Allow',
      Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      Resource: Fn.sub('arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Group}:*', {
        Group: logGroupName,
      }),
    },
    { Sid: 'Traces', Effect: 'Allow', Action: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], Resource: '*' },
  ]
}

/** Reading secrets by their ARNs. */
export function secretStatement(sid: string, arn: string): Statement {
  return { Sid: sid, Effect: 'Allow', Action: ['secretsmanager:GetSecretValue'], Resource: arn }
}

/** Reading the configuration, a parameter of Systems Manager or a secret: of an ARN of one kind the other action is none. */
export function configurationStatement(arn: string): Statement {
  return {
    Sid: 'Configuration',
    Effect: 'Allow',
    Action: ['ssm:GetParameter', 'secretsmanager:GetSecretValue'],
    Resource: arn,
  }
}

/** Putting events of ours on a bus. */
export function eventStatement(bus: string): Statement {
  return {
    Sid: 'Events',
    Effect: 'Allow',
    Action: ['events:PutEvents'],
    Resource: Fn.sub('arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${Bus}', { Bus: bus }),
    Condition: { StringEquals: { 'events:source': 'keyspring' } },
  }
}
