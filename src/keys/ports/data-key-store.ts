import type { Tenant } from './content-ref.ts'

/** A data key of a tenant, wrapped by the root key. Generations count from 1. */
export interface StoredDataKey {
  readonly tenant: Tenant
  readonly generation: number
  readonly wrapped: Uint8Array
}

/** Stores the wrapped data keys of every tenant. */
export interface DataKeyStore {
  /** The data keys of a tenant, all generations. */
  findDataKeys(tenant: Tenant): Promise<readonly StoredDataKey[]>

  /** Stores a data key unless its (tenant, generation) is taken. Returns the stored one, which may be another process's. */
  putDataKeyIfAbsent(dataKey: StoredDataKey): Promise<StoredDataKey>

  /** One data key of each tenant. Start-up opens them to check the root key. */
  sampleDataKeys(): Promise<readonly StoredDataKey[]>
}
