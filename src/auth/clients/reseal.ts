import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import { type RandomBytes, sealGeneration } from '../../keys/crypto/seal.ts'
import type { Credential } from '../credentials/credential.ts'
import { createCredentialSecrets } from './credential-secrets.ts'
import type { ClientStore } from './store.ts'

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
