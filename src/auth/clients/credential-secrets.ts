import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import { type RandomBytes, type SealContext, seal, sealGeneration, unseal } from '../../keys/crypto/seal.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { Credential, CredentialOf } from '../credentials/credential.ts'
import type { ClientStore } from './client.ts'
import type { Registration } from './directory.ts'

/** The methods that need the secret itself, not a hash of it. */
export type SealedMethod = 'digest' | 'sigv4' | 'signer'
type SealedCredential = CredentialOf<SealedMethod>

/** Seals and opens the secrets of Digest, SigV4 and Widevine signers, as content keys are sealed. */
export interface CredentialSecrets {
  /** Seals `clear`: it opens only for this credential of this tenant. */
  seal(tenant: Tenant, credential: Pick<SealedCredential, 'method' | 'id'>, clear: Uint8Array): Promise<Uint8Array>
  /** Throws ERR_SEAL_BROKEN for a seal that was altered or belongs to another credential. */
  open(tenant: Tenant, credential: SealedCredential): Promise<Buffer>
}

interface CredentialSecretsOptions {
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
 * Secrets that were opened, each once: `read` turns the clear bytes, which are then erased, into a value that verifies requests.
 * A value lives as long as its credential. An error is not kept.
 */
export class OpenedSecrets<C extends SealedCredential, T> {
  readonly #secrets: Pick<CredentialSecrets, 'open'>
  readonly #read: (clear: Buffer, credential: C) => T
  readonly #opened = new WeakMap<Credential, { readonly value: T }>()

  constructor(secrets: Pick<CredentialSecrets, 'open'>, read: (clear: Buffer, credential: C) => T) {
    this.#secrets = secrets
    this.#read = read
  }

  /** The value of a credential. Rejects with ERR_SEAL_BROKEN. */
  of({ client, credential }: { readonly client: Registration['client']; readonly credential: C }): T | Promise<T> {
    const known = this.#opened.get(credential)
    return known === undefined ? this.#open(client.tenant, credential) : known.value
  }

  async #open(tenant: Tenant, credential: C): Promise<T> {
    const clear = await this.#secrets.open(tenant, credential)
    const value = this.#read(clear, credential)
    clear.fill(0)
    this.#opened.set(credential, { value })
    return value
  }
}

function contextOf(tenant: Tenant, { method, id }: Pick<SealedCredential, 'method' | 'id'>): SealContext {
  return { kind: 'client-credential', tenant, method, id }
}

interface ResealClientsOptions {
  readonly store: ClientStore
  readonly dataKeys: DataKeys
  readonly randomBytes: RandomBytes
}

/** Seals the secrets of all clients with the newest data key of their tenant. Returns how many it sealed. */
export async function resealClients({ store, dataKeys, randomBytes }: ResealClientsOptions): Promise<number> {
  const secrets = createCredentialSecrets({ dataKeys, randomBytes })
  let resealed = 0
  for (const { client, credentials } of await store.listClients()) {
    const { tenant } = client
    const again: Credential[] = []
    let isChanged = false
    for (const one of credentials) {
      if (!('sealed' in one) || sealGeneration(one.sealed) === (await dataKeys.current(tenant)).generation) {
        again.push(one)
        continue
      }
      const clear = await secrets.open(tenant, one)
      again.push({ ...one, sealed: await secrets.seal(tenant, one, clear) })
      clear.fill(0)
      isChanged = true
      resealed++
    }
    if (isChanged) await store.putClient({ client, credentials: again })
  }
  return resealed
}
