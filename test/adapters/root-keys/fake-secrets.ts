import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** As much of AWS Secrets Manager and the SSM Parameter Store as references use. */
export interface FakeSecrets {
  readonly url: string
  /** What was asked for, in turn. */
  readonly asked: string[]
  close(): Promise<void>
}

/** The SDK is led here by AWS_ENDPOINT_URL_SECRETS_MANAGER and AWS_ENDPOINT_URL_SSM. */
export async function startFakeSecrets(
  secrets: Readonly<Record<string, string>>,
  parameters: Readonly<Record<string, string>>,
): Promise<FakeSecrets> {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const input = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Readonly<Record<string, unknown>>
    const isSecret = String(request.headers['x-amz-target']).startsWith('secretsmanager.')
    const name = String(isSecret ? input.SecretId : input.Name)
    asked.push(name)
    const value = (isSecret ? secrets : parameters)[name]
    // Without decryption a SecureString is given as it is stored.
    const shown = isSecret || input.WithDecryption === true ? value : 'sealed'
    const missing = { __type: isSecret ? 'ResourceNotFoundException' : 'ParameterNotFound', message: name }
    const found = isSecret ? { SecretString: shown } : { Parameter: { Name: name, Value: shown } }
    response.writeHead(value === undefined ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(JSON.stringify(value === undefined ? missing : found))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
