import type { AttributeValue, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KeyProviderError } from '../../../core/errors.ts'
import { clausesOf, conditionOf, type DynamoDbCondition, type Expression } from './expressions.ts'
import { type DynamoDbItem, type DynamoDbKey, fromAttributes, toAttributes } from './items.ts'

export interface DynamoDbTableOptions {
  /** The table: partition key `pk` and sort key `sk`, both strings; TTL on `ttl`. */
  readonly table: string
  readonly region?: string | undefined
  /** An endpoint other than the region's: a VPC endpoint, or an emulator. */
  readonly endpoint?: string | undefined
  /** Milliseconds that one call may take, including the retries of the SDK. */
  readonly timeoutMs?: number
  /** The number of SDK retries for a throttled or unanswered call. */
  readonly attempts?: number
}

/** One table. Every call has a time limit and fails with one kind of error. Every read is consistent. */
export interface DynamoDbTable {
  readonly name: string
  get(key: DynamoDbKey): Promise<DynamoDbItem | undefined>
  /** The existing items of `keys`, in no order. */
  getMany(keys: readonly DynamoDbKey[]): Promise<readonly DynamoDbItem[]>
  /** Returns false if the condition is not met; then nothing was written. */
  put(item: DynamoDbItem, condition?: DynamoDbCondition): Promise<boolean>
  /**
   * Sets the defined members of `change` and removes the undefined ones. Creates the item unless the condition
   * prevents it.
   */
  update(key: DynamoDbKey, change: Omit<DynamoDbItem, 'pk' | 'sk'>, condition?: DynamoDbCondition): Promise<boolean>
  remove(key: DynamoDbKey, condition?: DynamoDbCondition): Promise<boolean>
  /** The items of a partition after the key `after`, ordered by `sk`, page by page. */
  query(pk: string, prefix?: string, after?: DynamoDbKey): AsyncIterable<readonly DynamoDbItem[]>
  /** Every matching item after the key `after`, page by page, in the table's own order. */
  scan(filter: DynamoDbCondition, after?: DynamoDbKey): AsyncIterable<readonly DynamoDbItem[]>
  close(): Promise<void>
}

/**
 * The limit of BatchGetItem. @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
 */
const MAX_GET = 100
const MAX_ROUNDS = 8
/** Large enough for a typical content. */
const PAGE = 200

/** Opens a table. Loads the SDK; sends no request yet. */
export async function openDynamoDbTable(options: DynamoDbTableOptions): Promise<DynamoDbTable> {
  const { table: name, region, endpoint, timeoutMs = 3_000, attempts = 4 } = options
  const sdk = await import('@aws-sdk/client-dynamodb')
  const client: DynamoDBClient = new sdk.DynamoDBClient({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    maxAttempts: attempts,
  })

  const ask = async <T>(call: (abort: { readonly abortSignal: AbortSignal }) => Promise<T>): Promise<T> => {
    try {
      return await call({ abortSignal: AbortSignal.timeout(timeoutMs) })
    } catch (error) {
      throw tableUnavailable(name, error)
    }
  }
  /** Whether a conditional write was done. */
  const write = async (call: (abort: { readonly abortSignal: AbortSignal }) => Promise<unknown>): Promise<boolean> => {
    try {
      await call({ abortSignal: AbortSignal.timeout(timeoutMs) })
      return true
    } catch (error) {
      if (error instanceof sdk.ConditionalCheckFailedException) return false
      throw tableUnavailable(name, error)
    }
  }
  const keyOf = ({ pk, sk }: DynamoDbKey) => ({ pk: { S: pk }, sk: { S: sk } })
  const conditionally = (condition: DynamoDbCondition | undefined, other?: Expression) => {
    const found = conditionOf(condition, other)
    return {
      ...(found.text !== '' && { ConditionExpression: found.text }),
      ...namesAndValues(found),
    }
  }

  async function* pages(
    read: (from: Record<string, AttributeValue> | undefined) => Promise<{
      Items?: Record<string, AttributeValue>[] | undefined
      LastEvaluatedKey?: Record<string, AttributeValue> | undefined
    }>,
    start?: Record<string, AttributeValue>,
  ): AsyncGenerator<readonly DynamoDbItem[]> {
    for (let from = start; ; ) {
      const { Items = [], LastEvaluatedKey } = await read(from)
      yield Items.map(fromAttributes)
      if (LastEvaluatedKey === undefined) return
      from = LastEvaluatedKey
    }
  }

  return {
    name,

    async get(key) {
      const command = new sdk.GetItemCommand({ TableName: name, Key: keyOf(key), ConsistentRead: true })
      const { Item } = await ask((abort) => client.send(command, abort))
      return Item && fromAttributes(Item)
    },

    async getMany(keys) {
      const found: DynamoDbItem[] = []
      let waiting = keys.map(keyOf) as Record<string, AttributeValue>[]
      for (let round = 0; waiting.length > 0; round++) {
        const Keys = waiting.slice(0, MAX_GET)
        const command = new sdk.BatchGetItemCommand({ RequestItems: { [name]: { Keys, ConsistentRead: true } } })
        const { Responses, UnprocessedKeys } = await ask((abort) => client.send(command, abort))
        found.push(...(Responses?.[name] ?? []).map(fromAttributes))
        const left = UnprocessedKeys?.[name]?.Keys ?? []
        if (left.length === Keys.length && round >= MAX_ROUNDS) throw tableUnavailable(name, new Error('throttled'))
        waiting = [...left, ...waiting.slice(MAX_GET)]
      }
      return found
    },

    put(item, condition) {
      const command = new sdk.PutItemCommand({
        TableName: name,
        Item: toAttributes(item),
        ...conditionally(condition),
      })
      return write((abort) => client.send(command, abort))
    },

    update(key, change, condition) {
      const changes = clausesOf(change)
      const command = new sdk.UpdateItemCommand({
        TableName: name,
        Key: keyOf(key),
        UpdateExpression: changes.text,
        ...conditionally(condition, changes),
      })
      return write((abort) => client.send(command, abort))
    },

    remove(key, condition) {
      const command = new sdk.DeleteItemCommand({ TableName: name, Key: keyOf(key), ...conditionally(condition) })
      return write((abort) => client.send(command, abort))
    },

    query: (pk, prefix = '', after) =>
      pages((from) => {
        const command = new sdk.QueryCommand({
          TableName: name,
          ConsistentRead: true,
          Limit: PAGE,
          KeyConditionExpression: prefix === '' ? 'pk = :pk' : 'pk = :pk AND begins_with(sk, :sk)',
          ExpressionAttributeValues: { ':pk': { S: pk }, ...(prefix !== '' && { ':sk': { S: prefix } }) },
          ...(from !== undefined && { ExclusiveStartKey: from }),
        })
        return ask((abort) => client.send(command, abort))
      }, after && keyOf(after)),

    scan(filter, after) {
      const found = conditionOf(filter)
      return pages((from) => {
        const command = new sdk.ScanCommand({
          TableName: name,
          ConsistentRead: true,
          ...(found.text !== '' && { FilterExpression: found.text }),
          ...namesAndValues(found),
          ...(from !== undefined && { ExclusiveStartKey: from }),
        })
        return ask((abort) => client.send(command, abort))
      }, after && keyOf(after))
    },

    async close() {
      client.destroy()
    },
  }
}

/** DynamoDB rejects names and values that an expression does not use, and empty lists of them. */
function namesAndValues({ names, values }: Expression) {
  return {
    ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: { ...names } }),
    ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: { ...values } }),
  }
}

/** The remedy for an error of DynamoDB or of the network, by error name. */
const REMEDIES: Readonly<Record<string, string>> = {
  ResourceNotFoundException: 'the table does not exist: check dynamodb.table and dynamodb.region',
  AccessDeniedException:
    'the role lacks permission: grant it the actions of docs/guides/run-on-dynamodb.md on the table',
  UnrecognizedClientException: 'AWS rejects the credentials: check them and the region',
  ExpiredTokenException: 'the credentials have expired: renew them',
  CredentialsProviderError: 'no AWS credentials found: give the process a role',
  ValidationException: 'the keys of the table are not pk and sk, both strings: create it as the guide says',
  ProvisionedThroughputExceededException: 'it throttles requests: use on-demand capacity',
  ThrottlingException: 'it throttles requests: retry later',
  RequestLimitExceeded: 'it throttles requests: retry later',
  KMSAccessDeniedException: 'the role may not use the KMS key of the table: grant it',
  AbortError: 'it does not answer within dynamodb.timeoutMs: check the network',
  TimeoutError: 'it does not answer within dynamodb.timeoutMs: check the network',
}

/**
 * The error for every failure of the table. The SDK's message can quote an item, so only the name of the cause is
 * kept.
 */
function tableUnavailable(name: string, error: unknown): KeyProviderError {
  const code = error instanceof Error ? error.name : 'unknown'
  const remedy = REMEDIES[code] ?? `${code}: check the network, the region and the state of the table`
  const cause = new Error(code)
  cause.name = code
  return new KeyProviderError('ERR_STORE_UNAVAILABLE', `the table ${JSON.stringify(name)} does not answer: ${remedy}`, {
    cause,
  })
}
