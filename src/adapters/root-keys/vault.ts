import type { Secret } from '../../core/secret.ts'
import type { RootKey, WrapContext } from '../../keys/ports/root-key.ts'
import {
  contextBytes,
  decodeWrapping,
  encodeWrapping,
  rootKeyUnavailable,
  WRAPPED_BY,
  wrappingBroken,
} from './wrapping.ts'

export interface VaultOptions {
  /** For example https://vault.example.com:8200. */
  readonly url: string
  /** The name of the transit key, of type aes256-gcm96. */
  readonly key: string
  /** The mount path of the transit engine. */
  readonly mount?: string
  readonly token: Secret<string>
  readonly timeoutMs?: number
}

const CIPHERTEXT = /^vault:v(\d+):[A-Za-z0-9+/=]+$/

/**
 * A root key in the transit engine of HashiCorp Vault or OpenBao. The context of the data key is the associated data.
 *
 * @see https://developer.hashicorp.com/vault/api-docs/secret/transit (encrypt and decrypt data)
 */
export function openVault({ url, key, mount = 'transit', token, timeoutMs = 3_000 }: VaultOptions): RootKey {
  const name = `vault ${mount}/${key}`

  /** The named member of Vault's answer; undefined if Vault rejects the input with 400. */
  const ask = async (verb: 'encrypt' | 'decrypt', member: string, body: object): Promise<string | undefined> => {
    const path = [mount.split('/').map(encodeURIComponent).join('/'), verb, encodeURIComponent(key)].join('/')
    let response: Response
    let answer: unknown
    try {
      response = await fetch(`${url.replace(/\/+$/, '')}/v1/${path}`, {
        method: 'POST',
        headers: { 'x-vault-token': token.reveal(), 'content-type': 'application/json' },
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      })
      answer = await response.json()
    } catch (error) {
      throw rootKeyUnavailable(name, 'Vault does not answer; check its address and the network', error)
    }
    if (response.status === 400) return undefined
    const value = Object(Object(answer).data)[member]
    if (response.status === 200 && typeof value === 'string') return value
    throw rootKeyUnavailable(
      name,
      `Vault answers ${response.status}; check the token, its policy and whether it is sealed`,
      undefined,
    )
  }

  const wrap = async (dataKey: Uint8Array, context: WrapContext): Promise<Uint8Array> => {
    const plaintext = Buffer.from(dataKey).toString('base64')
    const body = { plaintext, associated_data: contextBytes(context).toString('base64') }
    const ciphertext = await ask('encrypt', 'ciphertext', body)
    if (ciphertext === undefined || !CIPHERTEXT.test(ciphertext)) {
      throw rootKeyUnavailable(
        name,
        'Vault rejects the encryption; check that the key exists and is of type aes256-gcm96',
        undefined,
      )
    }
    return encodeWrapping(WRAPPED_BY.vault, {
      keyName: `${mount}/${key}`,
      ciphertext: Buffer.from(ciphertext, 'latin1'),
    })
  }

  return {
    wrap,

    async unwrap(wrapped, context) {
      const parts = decodeWrapping(WRAPPED_BY.vault, wrapped)
      if (parts === undefined || parts.keyName !== `${mount}/${key}`) return undefined
      const ciphertext = Buffer.from(parts.ciphertext).toString('latin1')
      if (!CIPHERTEXT.test(ciphertext)) throw wrappingBroken()
      const body = { ciphertext, associated_data: contextBytes(context).toString('base64') }
      const plaintext = await ask('decrypt', 'plaintext', body)
      if (plaintext === undefined) throw wrappingBroken()
      return new Uint8Array(Buffer.from(plaintext, 'base64'))
    },

    describe(wrapped) {
      const parts = decodeWrapping(WRAPPED_BY.vault, wrapped)
      const version = parts && CIPHERTEXT.exec(Buffer.from(parts.ciphertext).toString('latin1'))?.[1]
      return parts && `vault ${parts.keyName} v${version ?? '?'}`
    },

    async close() {},
  }
}
