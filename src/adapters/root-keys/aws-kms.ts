import type { KMSClient } from '@aws-sdk/client-kms'
import type { RootKey } from '../../keys/ports/root-key.ts'
import { decodeWrapping, encodeWrapping, rootKeyUnavailable, WRAPPED_BY, wrappingBroken } from './wrapping.ts'

export interface AwsKmsOptions {
  /** Key id, key ARN, or alias (`alias/…`) of a symmetric key. */
  readonly keyId: string
  readonly region?: string
  /** An endpoint other than the region's: a VPC endpoint, or a fake in tests. */
  readonly endpoint?: string
  readonly timeoutMs?: number
}

/** The errors by which KMS says that another key made the ciphertext. */
const FOREIGN = new Set(['IncorrectKeyException', 'NotFoundException'])
const BROKEN = new Set(['InvalidCiphertextException'])

/**
 * A root key in AWS KMS. The encryption context names tenant and generation, so CloudTrail shows both. The AWS SDK
 * finds the credentials. The role needs kms:GenerateDataKey, kms:Encrypt, kms:Decrypt, kms:ReEncryptFrom and
 * kms:ReEncryptTo.
 *
 * @see https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
 */
export async function openAwsKms(options: AwsKmsOptions): Promise<RootKey> {
  const { keyId, region, endpoint, timeoutMs = 3_000 } = options
  const sdk = await import('@aws-sdk/client-kms')
  const client: KMSClient = new sdk.KMSClient({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    maxAttempts: 3,
  })
  const name = `aws-kms ${keyId}`

  /** The answer of KMS; undefined for a ciphertext that another key made. */
  const ask = async <T>(call: (abort: { readonly abortSignal: AbortSignal }) => Promise<T>): Promise<T | undefined> => {
    try {
      return await call({ abortSignal: AbortSignal.timeout(timeoutMs) })
    } catch (error) {
      const code = error instanceof Error ? error.name : 'unknown'
      if (FOREIGN.has(code)) return undefined
      if (BROKEN.has(code)) throw wrappingBroken(error)
      throw rootKeyUnavailable(
        name,
        `${code}; check the network, the credentials, the key's policy and its state`,
        error,
      )
    }
  }
  const wrapping = (usedKey: string | undefined, ciphertext: Uint8Array | undefined): Uint8Array => {
    if (ciphertext === undefined) throw rootKeyUnavailable(name, 'KMS returned no ciphertext', undefined)
    return encodeWrapping(WRAPPED_BY.awsKms, { keyName: usedKey ?? keyId, ciphertext })
  }
  const notFound = () => rootKeyUnavailable(name, 'KMS does not find the key: check its id and the region', undefined)

  return {
    async wrap(dataKey, context) {
      const command = new sdk.EncryptCommand({ KeyId: keyId, Plaintext: dataKey, EncryptionContext: { ...context } })
      const answer = await ask((abort) => client.send(command, abort))
      if (answer === undefined) throw notFound()
      return wrapping(answer.KeyId, answer.CiphertextBlob)
    },

    async generate(context) {
      const command = new sdk.GenerateDataKeyCommand({
        KeyId: keyId,
        KeySpec: 'AES_256',
        EncryptionContext: { ...context },
      })
      const answer = await ask((abort) => client.send(command, abort))
      if (answer === undefined) throw notFound()
      if (answer.Plaintext === undefined) throw rootKeyUnavailable(name, 'KMS returned no data key', undefined)
      return { dataKey: answer.Plaintext, wrapped: wrapping(answer.KeyId, answer.CiphertextBlob) }
    },

    async unwrap(wrapped, context) {
      const parts = decodeWrapping(WRAPPED_BY.awsKms, wrapped)
      if (parts === undefined) return undefined
      const command = new sdk.DecryptCommand({
        KeyId: keyId,
        CiphertextBlob: parts.ciphertext,
        EncryptionContext: { ...context },
      })
      const answer = await ask((abort) => client.send(command, abort))
      // The stored key name is informative only. A name that differs from the key's means that the value was altered.
      if (answer !== undefined && answer.KeyId !== parts.keyName) throw wrappingBroken()
      return answer?.Plaintext
    },

    async rewrap(wrapped, context) {
      const parts = decodeWrapping(WRAPPED_BY.awsKms, wrapped)
      if (parts === undefined) return undefined
      const command = new sdk.ReEncryptCommand({
        CiphertextBlob: parts.ciphertext,
        SourceEncryptionContext: { ...context },
        DestinationKeyId: keyId,
        DestinationEncryptionContext: { ...context },
      })
      const answer = await ask((abort) => client.send(command, abort))
      return answer && wrapping(answer.KeyId, answer.CiphertextBlob)
    },

    describe(wrapped) {
      const parts = decodeWrapping(WRAPPED_BY.awsKms, wrapped)
      return parts && `aws-kms ${parts.keyName}`
    },

    async close() {
      client.destroy()
    },
  }
}
