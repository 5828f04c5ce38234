import { type DataKeys, withCurrentDataKey } from '../../keys/crypto/data-keys.ts'
import { type RandomBytes, type SealContext, seal, sealGeneration, unseal } from '../../keys/crypto/seal.ts'
import { AUDIT_TENANT, type AuditHead, type AuditHeadStore } from '../ports/store.ts'

export { AUDIT_TENANT }

/** The last record of a chain, as far as it is sealed. */
export interface OpenHead {
  readonly chain: string
  readonly seq: number
  readonly hash: string
}

/** The heads of audit chains, sealed and opened. */
export interface AuditHeads {
  /** Seals and stores the head of a chain. */
  put(head: OpenHead): Promise<void>
  list(): Promise<readonly AuditHead[]>
  /** Throws ERR_SEAL_BROKEN for a head that was altered, or that no data key of ours sealed. */
  open(head: AuditHead): Promise<OpenHead>
}

export interface AuditHeadsOptions {
  readonly store: AuditHeadStore
  readonly dataKeys: DataKeys
  readonly randomBytes: RandomBytes
}

const SEQ_BYTES = 6
const HASH = /^sha256:([0-9a-f]{64})$/

/** Heads sealed by the data keys of {@link AUDIT_TENANT}: sequence number (6 bytes) ‖ hash (32 bytes). */
export function createAuditHeads({ store, dataKeys, randomBytes }: AuditHeadsOptions): AuditHeads {
  return {
    async put({ chain, seq, hash }) {
      const clear = Buffer.alloc(SEQ_BYTES)
      clear.writeUIntBE(seq, 0, SEQ_BYTES)
      const bytes = Buffer.concat([clear, Buffer.from(HASH.exec(hash)?.[1] ?? '', 'hex')])
      await withCurrentDataKey(dataKeys, AUDIT_TENANT, (dataKey) =>
        store.putAuditHead({ chain, seq, sealed: seal(dataKey, contextOf(chain), bytes, randomBytes) }),
      )
    },

    list: () => store.listAuditHeads(),

    async open({ chain, sealed }) {
      const generation = sealGeneration(sealed)
      const dataKey = generation === undefined ? undefined : await dataKeys.find(AUDIT_TENANT, generation)
      const clear = unseal(dataKey, contextOf(chain), sealed)
      const hash = `sha256:${clear.subarray(SEQ_BYTES).toString('hex')}`
      return { chain, seq: clear.readUIntBE(0, SEQ_BYTES), hash }
    },
  }
}

/** Seals the heads with the newest data key, so that older ones are no longer needed; how many were. */
export async function resealAuditHeads(options: AuditHeadsOptions): Promise<number> {
  const heads = createAuditHeads(options)
  let resealed = 0
  for (const head of await heads.list()) {
    const { generation } = await options.dataKeys.current(AUDIT_TENANT)
    if (sealGeneration(head.sealed) === generation) continue
    await heads.put(await heads.open(head))
    resealed++
  }
  return resealed
}

function contextOf(chain: string): SealContext {
  return { kind: 'audit-head', chain }
}
