import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'
import { type Schedule, WriteQueue } from '../../core/write-queue.ts'
import { type DataKeys, withCurrentDataKey } from '../../keys/crypto/data-keys.ts'
import { type RandomBytes, type SealContext, seal, sealGeneration, unseal } from '../../keys/crypto/seal.ts'
import { AUDIT_TENANT, type AuditHead, type AuditHeadStore } from '../ports/store.ts'
import type { RecordMac } from './record.ts'

/** The key for the MACs of one chain. Each data key generation gives each chain a key of its own. */
export interface MacKey {
  readonly generation: number
  readonly key: KeyObject
}

/** The last sealed record of a chain, and the keys of the chain's MACs, which so outlive their data keys. */
export interface OpenHead {
  readonly chain: string
  readonly seq: number
  readonly hash: string
  readonly macKeys: readonly MacKey[]
}

interface AuditHeadsOptions {
  readonly store: AuditHeadStore
  readonly dataKeys: DataKeys
  readonly randomBytes: RandomBytes
}

const SEQ_BYTES = 6
const HASH_BYTES = 32
const GENERATION_BYTES = 4
const MAC_KEY_BYTES = 32
const HASH = /^sha256:([0-9a-f]{64})$/

/** The heads of audit chains, sealed and opened, and the keys of their MACs. */
export interface AuditHeads {
  /** Seals and stores the head of a chain. */
  put(head: OpenHead): Promise<void>
  list(): Promise<readonly AuditHead[]>
  /** Opens a head. Throws ERR_SEAL_BROKEN for a head that was altered, or whose data key does not exist. */
  open(head: AuditHead): Promise<OpenHead>
  /** The key for new records of a chain, derived from the current data key. */
  currentMacKey(chain: string): Promise<MacKey>
  /** The key of a chain for a data key generation; undefined if that data key does not exist. */
  findMacKey(chain: string, generation: number): Promise<MacKey | undefined>
}

/**
 * Heads sealed by the data keys of {@link AUDIT_TENANT}: sequence number (6 bytes) ‖ hash (32 bytes), then for each MAC key
 * its generation (4 bytes) ‖ key (32 bytes).
 */
export function createAuditHeads({ store, dataKeys, randomBytes }: AuditHeadsOptions): AuditHeads {
  return {
    async put(head) {
      const { chain, seq } = head
      const clear = toBytes(head)
      try {
        await withCurrentDataKey(dataKeys, AUDIT_TENANT, (dataKey) =>
          store.putAuditHead({ chain, seq, sealed: seal(dataKey, contextOf(chain), clear, randomBytes) }),
        )
      } finally {
        clear.fill(0)
      }
    },

    list: () => store.listAuditHeads(),

    async open({ chain, sealed }) {
      const generation = sealGeneration(sealed)
      const dataKey = generation === undefined ? undefined : await dataKeys.find(AUDIT_TENANT, generation)
      const clear = unseal(dataKey, contextOf(chain), sealed)
      try {
        return { chain, ...fromBytes(clear) }
      } finally {
        clear.fill(0)
      }
    },

    async currentMacKey(chain) {
      const { generation, key } = await dataKeys.current(AUDIT_TENANT)
      return { generation, key: deriveMacKey(key, chain) }
    },

    async findMacKey(chain, generation) {
      const dataKey = await dataKeys.find(AUDIT_TENANT, generation)
      return dataKey && { generation, key: deriveMacKey(dataKey, chain) }
    },
  }
}

/** The MAC of a record. The hash covers the record and all records before it. @see RFC 2104 */
export function macOf({ generation, key }: MacKey, hash: string): RecordMac {
  return { generation, value: createHmac('sha256', key).update(hash).digest('hex') }
}

/** Whether a MAC was made with this key for this hash. Takes the same time whatever the MAC is. */
export function isMacOf(mac: RecordMac, macKey: MacKey, hash: string): boolean {
  const expected = Buffer.from(macOf(macKey, hash).value, 'hex')
  const given = Buffer.from(mac.value, 'hex')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** Seals the heads with the newest data key, so that older data keys are no longer needed. Returns how many it sealed. */
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

/** Waiting heads are those of one node: today's chain, and at midnight yesterday's. */
const MAX_WAITING = 16

/** Seals and stores the newest head of each chain, at most once in `everyMs`. Tries again after a failure. */
export function headQueue(
  heads: Pick<AuditHeads, 'put'>,
  options: { readonly everyMs: number; readonly schedule: Schedule; readonly onError: (error: unknown) => void },
): WriteQueue<OpenHead> {
  return new WriteQueue<OpenHead>({
    write: async ([head]) => head && heads.put(head),
    delayMs: options.everyMs,
    maxItems: MAX_WAITING,
    maxBatch: 1,
    nameOf: ({ chain }) => chain,
    onFailure(error, waiting) {
      options.onError(error)
      return waiting
    },
    // A chain whose head is lost ends with unsealed records, which `audit verify` reports.
    onLoss: () => {},
    schedule: options.schedule,
  })
}

function deriveMacKey(dataKey: KeyObject, chain: string): KeyObject {
  const bytes = Buffer.from(hkdfSync('sha256', dataKey, '', `keyspring/audit-record/v1 ${chain}`, MAC_KEY_BYTES))
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

function toBytes({ seq, hash, macKeys }: OpenHead): Buffer {
  const start = Buffer.alloc(SEQ_BYTES)
  start.writeUIntBE(seq, 0, SEQ_BYTES)
  const keys = macKeys.map(({ generation, key }) => {
    const bytes = Buffer.alloc(GENERATION_BYTES)
    bytes.writeUInt32BE(generation)
    return Buffer.concat([bytes, key.export()])
  })
  return Buffer.concat([start, Buffer.from(HASH.exec(hash)?.[1] ?? '', 'hex'), ...keys])
}

function fromBytes(clear: Buffer): Omit<OpenHead, 'chain'> {
  const macKeys: MacKey[] = []
  const size = GENERATION_BYTES + MAC_KEY_BYTES
  for (let at = SEQ_BYTES + HASH_BYTES; at + size <= clear.length; at += size) {
    const key = createSecretKey(clear.subarray(at + GENERATION_BYTES, at + size))
    macKeys.push({ generation: clear.readUInt32BE(at), key })
  }
  const hash = clear.subarray(SEQ_BYTES, SEQ_BYTES + HASH_BYTES).toString('hex')
  return { seq: clear.readUIntBE(0, SEQ_BYTES), hash: `sha256:${hash}`, macKeys }
}

function contextOf(chain: string): SealContext {
  return { kind: 'audit-head', chain }
}
