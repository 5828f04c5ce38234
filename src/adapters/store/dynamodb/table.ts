import type { AttributeValue, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KeyProviderError } from '../../../core/errors.ts'
import { clausesOf, conditionOf, type DynamoDbCondition, type Expression } from './expressions.ts'
import { type DynamoDbItem, type DynamoDbKey, fromAttributes, toAttributes } from './items.ts'

export interface DynamoDbTableOptions {
  /** The table: partition key `pk` and sort key `sk`, both strings; TTL on `ttl`. */
  readonly table: string
  readonly region?: string | undefined
  /** Another endpoint than the region's: a VPC endpoint, or an emulator. */
  readonly endpoint?: string | undefined
  /** How long one call may take, with the SDK's own attempts. */
  readonly timeoutMs?: number
  /** How often the SDK tries a call that the table was too busy for, or that nobody answered. */
  readonly attempts?: number
}

/** One table, and every call of it with a time limit and one kind of error. Every read is consistent. */
export interface DynamoDbTable {
  readonly name: string
  get(key: DynamoDbKey): Promise<DynamoDbItem | undefined>
  /** Those of `keys` that there are, in no order. */
  getMany(keys: readonly DynamoDbKey[]): Promise<readonly DynamoDbItem[]>
  /** False: the condition does not hold, and nothing was written. */
  put(item: DynamoDbItem, condition?: DynamoDbCondition): Promise<boolean>
  /** Sets what is defined of `change` and removes what is undefined; makes the item unless the condition says otherwise. */
  update(key: DynamoDbKey, change: Omit<DynamoDbItem, 'pk' | 'sk'>, condition?: DynamoDbCondition): Promise<boolean>
  remove(key: DynamoDbKey, condition?: DynamoDbCondition): Promise<boolean>
  /** The items of a partition after the place `after`, in the order of `sk`, page by page. */
  query(pk: string, prefix?: string, after?: DynamoDbKey): AsyncIterable<readonly DynamoDbItem[]>
  /** Every item that fits, after the place `after`, page by page, in an order of the table's own. */
  scan(filter: DynamoDbCondition, after?: DynamoDbKey): AsyncIterable<readonly DynamoDbItem[]>
  close(): Promise<void>
}

/** BatchGetItem takes no more. @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html */
const MAX_GET = 100
const MAX_ROUNDS = 8
/** What a content usually has fits into one. */
const PAGE = 200

/** Opens a table; the SDK is loaded here. Nothing is asked of it yet. */
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

/** DynamoDB refuses names and values that are there but not used, empty lists of them too. */
function namesAndValues({ names, values }: Expression) {
  return {
    ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: { ...names } }),
    ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: { ...values } }),
  }
}

/** What to do about an error of DynamoDB or of the way to it, by its name. */
const REMEDIES: Readonly<Record<string, string>> = {
  ResourceNotFoundException: 'there is no such table: check dynamodb.table and dynamodb.region',
  AccessDeniedException:
    'the role may not do this: grant it the actions of docs/guides/run-on-dynamodb.md on the table',
  UnrecognizedClientException: 'the credentials are of no use here: check them and the region',
  ExpiredTokenException: 'the credentials have expired: renew them',
  CredentialsProviderError: 'there are no credentials: give the process a role',
  ValidationException: 'the table has other keys than pk and sk, two strings: make it as the guide says',
  ProvisionedThroughputExceededException: 'it takes no more requests just now: use on-demand capacity',
  ThrottlingException: 'it takes no more requests just now: ask again',
  RequestLimitExceeded: 'it takes no more requests just now: ask again',
  KMSAccessDeniedException: 'the role may not use the key that encrypts the table: grant it',
  AbortError: 'it does not answer within dynamodb.timeoutMs: check the network',
  TimeoutError: 'it does not answer within dynamodb.timeoutMs: check the network',
}

/** The one error of whatever keeps the table from its work. The SDK's message, which may quote an item, is kept as the cause's name alone. */
export function tableUnavailable(name: string, error: unknown): KeyProviderError {
  const code = error instanceof Error ? error.name : 'unknown'
  const remedy = REMEDIES[code] ?? `${code}: check the network, the region and the state of the table`
  const cause = new Error(code)
  cause.name = code
  return new KeyProviderError('ERR_STORE_UNAVAILABLE', `the table ${JSON.stringify(name)} does not answer: ${remedy}`, {
    cause,
  })
}
