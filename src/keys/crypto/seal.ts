import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { lengthPrefixed } from '../../core/length-prefixed.ts'
import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import type { ContentRef, Tenant } from '../ports/content-ref.ts'
import { CLASS_BYTE } from './derive.ts'

/** What a sealed value is and where it belongs: it opens nowhere else. */
export type SealContext =
  | { readonly kind: 'content-secret'; readonly ref: ContentRef }
  | {
      readonly kind: 'override'
      readonly ref: ContentRef
      readonly contentKeyClass: ContentKeyClass
      readonly kid: Kid
    }
  | { readonly kind: 'client-credential'; readonly tenant: Tenant; readonly method: string; readonly id: string }
  | { readonly kind: 'audit-head'; readonly chain: string }
  | { readonly kind: 'cursor'; readonly tenant: Tenant }

/** A data key of a tenant, open. */
export interface DataKey {
  readonly generation: number
  readonly key: KeyObject
}

export type RandomBytes = (size: number) => Uint8Array

const VERSION = 1
const HEADER = 5
const NONCE = 12
const TAG = 16
const ALGORITHM = 'aes-256-gcm'

/** `clear`, sealed: version ‖ data key generation ‖ nonce ‖ AES-256-GCM ciphertext ‖ tag. @see NIST SP 800-38D, 8.2.2 (random IV) */
export function seal(dataKey: DataKey, context: SealContext, clear: Uint8Array, randomBytes: RandomBytes): Uint8Array {
  const nonce = randomBytes(NONCE)
  const header = Buffer.alloc(HEADER)
  header.writeUInt8(VERSION)
  header.writeUInt32BE(dataKey.generation, 1)
  const cipher = createCipheriv(ALGORITHM, dataKey.key, nonce).setAAD(additionalData(context))
  const ciphertext = [cipher.update(clear), cipher.final(), cipher.getAuthTag()]
  return new Uint8Array(Buffer.concat([header, nonce, ...ciphertext]))
}

/** The generation of the data key that sealed `blob`; undefined if `blob` is not a sealed value of this version. */
export function sealGeneration(blob: Uint8Array): number | undefined {
  if (blob.length < HEADER + NONCE + TAG || blob[0] !== VERSION) return undefined
  return new DataView(blob.buffer, blob.byteOffset, blob.length).getUint32(1)
}

/** Opens a sealed value. Throws ERR_SEAL_BROKEN for every fault: altered, cut, moved to another row, another data key. */
export function unseal(dataKey: KeyObject | undefined, context: SealContext, blob: Uint8Array): Buffer {
  if (dataKey === undefined || sealGeneration(blob) === undefined) throw sealBroken(context)
  const ciphertext = blob.subarray(HEADER + NONCE, blob.length - TAG)
  const decipher = createDecipheriv(ALGORITHM, dataKey, blob.subarray(HEADER, HEADER + NONCE), { authTagLength: TAG })
  decipher.setAAD(additionalData(context)).setAuthTag(blob.subarray(blob.length - TAG))
  const clear = decipher.update(ciphertext)
  try {
    decipher.final()
  } catch (cause) {
    clear.fill(0)
    throw sealBroken(context, cause)
  }
  return clear
}

/** One error for every fault, so that it reveals nothing about the value. */
function sealBroken(context: SealContext, cause?: unknown): KeyProviderError {
  return new KeyProviderError(
    'ERR_SEAL_BROKEN',
    `the stored ${describe(context)} does not open. ` +
      'It was altered, damaged or moved from another row. Restore it from a backup of the store.',
    { cause },
  )
}

function describe(context: SealContext): string {
  if (context.kind === 'audit-head') return `head of the audit chain ${JSON.stringify(context.chain)}`
  if (context.kind === 'cursor') return `cursor of tenant ${JSON.stringify(context.tenant)}`
  if (context.kind === 'client-credential') {
    const { tenant, method, id } = context
    return `${method} credential ${JSON.stringify(id)} of tenant ${JSON.stringify(tenant)}`
  }
  const { contentId, tenant } = context.ref
  const what =
    context.kind === 'override' ? `override of ${context.contentKeyClass} kid ${context.kid}` : 'content secret'
  return `${what} of content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)}`
}

function additionalData(context: SealContext): Buffer {
  if (context.kind === 'audit-head') return lengthPrefixed([context.kind, context.chain])
  if (context.kind === 'cursor') return lengthPrefixed([context.kind, context.tenant])
  if (context.kind === 'client-credential') {
    return lengthPrefixed([context.kind, context.tenant, context.method, context.id])
  }
  const { kind, ref } = context
  const { contentKeyClass, kid } =
    kind === 'override'
      ? { contentKeyClass: Uint8Array.of(CLASS_BYTE[context.contentKeyClass]), kid: context.kid }
      : { contentKeyClass: '', kid: '' }
  return lengthPrefixed([kind, ref.tenant, ref.contentId, contentKeyClass, kid])
}
