import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import { type RandomBytes, type SealContext, seal, sealGeneration, unseal } from '../../keys/crypto/seal.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { Credential, CredentialOf } from '../credentials/credential.ts'
import type { Registration } from './directory.ts'

/** The methods that need more than a hash to check a credential. */
export type SealedMethod = 'digest' | 'sigv4' | 'signer'
export type SealedCredential = CredentialOf<SealedMethod>

/** Seals and opens what Digest, SigV4 and Widevine signers need in the clear, as content keys are sealed. */
export interface CredentialSecrets {
  /** `clear`, sealed: it opens for this credential of this tenant alone. */
  seal(tenant: Tenant, credential: Pick<SealedCredential, 'method' | 'id'>, clear: Uint8Array): Promise<Uint8Array>
  /** Throws ERR_SEAL_BROKEN for what was altered or moved from another credential. */
  open(tenant: Tenant, credential: SealedCredential): Promise<Buffer>
}

export interface CredentialSecretsOptions {
  readonly dataKeys: DataKeys
  readonly randomBytes: RandomBytes
}

/** Secrets sealed by the data keys of each client's tenant. */
export function createCredentialSecrets({ dataKeys, randomBytes }: CredentialSecretsOptions): CredentialSecrets {
  return {
    async seal(tenant, credential, clear) {
      return seal(await dataKeys.current(tenant), contextOf(tenant, credential), clear, randomBytes)
    },
    async open(tenant, credential) {
      const generation = sealGeneration(credential.sealed)
      const dataKey = generation === undefined ? undefined : await dataKeys.find(tenant, generation)
      return unseal(dataKey, contextOf(tenant, credential), credential.sealed)
    },
  }
}

/**
 * Opens each credential once: `read` turns its clear bytes, which are then erased, into what checks are made with. That is kept
 * as long as the credential itself is; a failure is not kept.
 */
export function openOnce<C extends SealedCredential, T>(
  secrets: Pick<CredentialSecrets, 'open'>,
  read: (clear: Buffer, credential: C) => T,
): (registration: { readonly client: Registration['client']; readonly credential: C }) => T | Promise<T> {
  const opened = new WeakMap<Credential, { readonly value: T }>()
  return ({ client, credential }) => {
    const known = opened.get(credential)
    if (known !== undefined) return known.value
    return secrets.open(client.tenant, credential).then((clear) => {
      const value = read(clear, credential)
      clear.fill(0)
      opened.set(credential, { value })
      return value
    })
  }
}

function contextOf(tenant: Tenant, { method, id }: Pick<SealedCredential, 'method' | 'id'>): SealContext {
  return { kind: 'client-credential', tenant, method, id }
}
