import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A service of the tests: it counts what it is asked, and can be away. */
export interface FakeService {
  readonly url: string
  readonly calls: string[]
  /** The status it answers everything with, or undefined to work. */
  failWith(status: number | undefined): void
  close(): Promise<void>
}

type Answer = { readonly status: number; readonly body: object }

/** As much of AWS KMS as root keys use. Any key id names a key of its own, made when it is first used. */
export function startFakeKms(): Promise<FakeService> {
  const keys = new Map<string, Buffer>()
  const keyOf = (id: string): Buffer => {
    const key = keys.get(id) ?? randomBytes(32)
    keys.set(id, key)
    return key
  }
  const arnOf = (id: string): string => `arn:aws:kms:eu-west-1:111122223333:key/${id}`
  /** The ciphertext begins with the id of its key, as that of KMS holds it somewhere. */
  const encrypt = (id: string, plaintext: Buffer, context: object): Buffer =>
    Buffer.concat([Buffer.from(`${id}|`), sealed(keyOf(id), plaintext, canonical(context))])
  const decrypt = (id: string | undefined, blob: Buffer, context: object): { id: string; plaintext: Buffer } => {
    const end = blob.indexOf('|')
    const made = blob.toString('latin1', 0, Math.max(0, end))
    if (!keys.has(made)) throw new Refusal('InvalidCiphertextException')
    if (id !== undefined && id !== made) throw new Refusal('IncorrectKeyException')
    return { id: made, plaintext: opened(keyOf(made), blob.subarray(end + 1), canonical(context)) }
  }
  const actions: Record<string, (input: Record<string, string> & Record<string, object>) => object> = {
    Encrypt: ({ KeyId = '', Plaintext = '', EncryptionContext = {} }) => ({
      KeyId: arnOf(KeyId),
      CiphertextBlob: encrypt(KeyId, fromBase64(Plaintext), EncryptionContext).toString('base64'),
    }),
    GenerateDataKey({ KeyId = '', EncryptionContext = {} }) {
      const plaintext = randomBytes(32)
      const blob = encrypt(KeyId, plaintext, EncryptionContext).toString('base64')
      return { KeyId: arnOf(KeyId), Plaintext: plaintext.toString('base64'), CiphertextBlob: blob }
    },
    Decrypt({ KeyId, CiphertextBlob = '', EncryptionContext = {} }) {
      const { id, plaintext } = decrypt(KeyId, fromBase64(CiphertextBlob), EncryptionContext)
      return { KeyId: arnOf(id), Plaintext: plaintext.toString('base64') }
    },
    ReEncrypt({
      CiphertextBlob = '',
      SourceEncryptionContext = {},
      DestinationKeyId = '',
      DestinationEncryptionContext = {},
    }) {
      const { id, plaintext } = decrypt(undefined, fromBase64(CiphertextBlob), SourceEncryptionContext)
      const blob = encrypt(DestinationKeyId, plaintext, DestinationEncryptionContext).toString('base64')
      return { SourceKeyId: arnOf(id), KeyId: arnOf(DestinationKeyId), CiphertextBlob: blob }
    },
  }
  return serve((request, input) => {
    const action = String(request.headers['x-amz-target']).replace('TrentService.', '')
    try {
      const body = actions[action]?.(input as Record<string, string> & Record<string, object>)
      return { name: action, answer: { status: 200, body: body ?? {} } }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return { name: action, answer: { status: 400, body: { __type: error.message } } }
    }
  })
}

/** As much of Vault's transit engine as root keys use, for one token. Any key name is a key, made when it is first used. */
export function startFakeVault(token: string): Promise<FakeService> {
  const keys = new Map<string, Buffer>()
  return serve((request, input) => {
    const [, verb = '', name = ''] = /^\/v1\/transit\/(encrypt|decrypt)\/([\w-]+)$/.exec(request.url ?? '') ?? []
    if (request.headers['x-vault-token'] !== token) return { name: verb, answer: { status: 403, body: { errors: [] } } }
    const key = keys.get(name) ?? randomBytes(32)
    keys.set(name, key)
    const { plaintext = '', ciphertext = '', associated_data = '' } = input as Record<string, string>
    const context = fromBase64(associated_data)
    try {
      const data =
        verb === 'encrypt'
          ? { ciphertext: `vault:v1:${sealed(key, fromBase64(plaintext), context).toString('base64')}` }
          : { plaintext: opened(key, fromBase64(ciphertext.replace('vault:v1:', '')), context).toString('base64') }
      return { name: verb, answer: { status: 200, body: { data } } }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return { name: verb, answer: { status: 400, body: { errors: ['cipher: message authentication failed'] } } }
    }
  })
}

class Refusal extends Error {}

async function serve(
  answer: (request: IncomingMessage, input: object) => { readonly name: string; readonly answer: Answer },
): Promise<FakeService> {
  const calls: string[] = []
  let failing: number | undefined
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { name, answer: given } = answer(request, JSON.parse(Buffer.concat(chunks).toString('utf8')) as object)
    calls.push(name)
    const { status, body } =
      failing === undefined ? given : { status: failing, body: { __type: 'KMSInternalException' } }
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    failWith(status) {
      failing = status
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

function sealed(key: Buffer, plaintext: Buffer, context: Buffer): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(context)
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function opened(key: Buffer, blob: Buffer, context: Buffer): Buffer {
  if (blob.length < 28) throw new Refusal('InvalidCiphertextException')
  const decipher = createDecipheriv('aes-256-gcm', key, blob.subarray(0, 12), { authTagLength: 16 }).setAAD(context)
  decipher.setAuthTag(blob.subarray(-16))
  const plaintext = decipher.update(blob.subarray(12, -16))
  try {
    decipher.final()
    return plaintext
  } catch {
    throw new Refusal('InvalidCiphertextException')
  }
}

function canonical(context: object): Buffer {
  return Buffer.from(JSON.stringify(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))))
}

const fromBase64 = (text: string): Buffer => Buffer.from(text, 'base64')
