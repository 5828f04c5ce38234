import { KeyProviderError } from '../../../core/errors.ts'

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
