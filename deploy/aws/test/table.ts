import { CreateTableCommand, type CreateTableCommandInput, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { Plain } from './resolve.ts'

/** Makes a table in an emulator as a template says. */
export async function createTable(client: DynamoDBClient, TableName: string, properties: Plain): Promise<void> {
  const { BillingMode, AttributeDefinitions, KeySchema }: CreateTableCommandInput = properties
  await client.send(new CreateTableCommand({ TableName, BillingMode, AttributeDefinitions, KeySchema }))
}
