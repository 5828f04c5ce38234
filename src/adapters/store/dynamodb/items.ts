import { createHash } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import type { ContentKeyClass, Kid } from '../../../formats/cenc.ts'
import type { ContentRef, Tenant } from '../../../keys/ports/content-ref.ts'
import type { KidOverride } from '../../../keys/ports/content-store.ts'
import { damaged, toText } from '../rows.ts'

/** An item of the table. Undefined members are not stored. */
export type DynamoDbItem = DynamoDbKey & Readonly<Record<string, DynamoDbValue>>
export type DynamoDbValue = string | number | Uint8Array | undefined

export interface DynamoDbKey {
  readonly pk: string
  readonly sk: string
}

/** A stored item. */
export function fromAttributes(attributes: Record<string, AttributeValue>): DynamoDbItem {
  const { pk, sk, ...values } = Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, toValue(value)]),
  )
  return { ...values, pk: toText(pk), sk: toText(sk) }
}

/** An item to store. Bytes are copied, because the SDK must not see later changes of the caller's buffer. */
export function toAttributes(item: Readonly<Record<string, DynamoDbValue>>): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {}
  for (const [name, value] of Object.entries(item)) {
    if (value !== undefined) attributes[name] = toAttribute(value)
  }
  return attributes
}

export function toAttribute(value: Exclude<DynamoDbValue, undefined>): AttributeValue {
  if (typeof value === 'string') return { S: value }
  return typeof value === 'number' ? { N: String(value) } : { B: new Uint8Array(value) }
}

function toValue({ S, N, B }: AttributeValue): DynamoDbValue {
  if (S !== undefined) return S
  if (N !== undefined) return Number(N)
  return B === undefined ? damaged('text, a number or bytes') : new Uint8Array(B)
}

/**
 * Names are stored as JSON. Two names have the same text only if they are equal, and the text shows where one name
 * ends and the next begins.
 */

/** The partition of all items that decide the keys of a content. */
export function contentPartition({ tenant, contentId }: ContentRef): string {
  return `content ${JSON.stringify([tenant, contentId])}`
}

/** The content of a partition. */
export function contentOfPartition(pk: string): ContentRef {
  const [tenant, contentId] = JSON.parse(pk.slice('content '.length)) as [unknown, unknown]
  return { tenant: toText(tenant), contentId: toText(contentId) }
}

/** The item of a content itself: the first of its partition. */
export const CONTENT = '#content'

const EPOCH_DIGITS = 10

/** The prefix of the sort keys of an epoch. */
export function epochPrefix(epoch: number): string {
  return String(epoch).padStart(EPOCH_DIGITS, '0')
}

/** The epoch that an item belongs to. */
export function epochOf({ sk }: DynamoDbKey): number {
  return Number(sk.slice(0, EPOCH_DIGITS))
}

/** The kind of an item of an epoch. */
export function partOf({ sk }: DynamoDbKey): string {
  return sk.slice(EPOCH_DIGITS + 1).split(' ', 1)[0] ?? ''
}

export const secretKeyOf = (pk: string, epoch: number): DynamoDbKey => ({ pk, sk: `${epochPrefix(epoch)} secret` })

/** Sorted after all other items of its epoch: a reader that stops early has still read the rest. */
export function overrideKeyOf(
  pk: string,
  epoch: number,
  { kid, contentKeyClass }: { readonly kid: Kid; readonly contentKeyClass: ContentKeyClass },
): DynamoDbKey {
  return { pk, sk: `${epochPrefix(epoch)} stored-override ${kid} ${contentKeyClass}` }
}

export function ruleKeyOf(
  pk: string,
  epoch: number,
  { intendedTrackType, periodIndex }: Pick<KidOverride, 'intendedTrackType' | 'periodIndex'>,
): DynamoDbKey {
  const match = hashOf(JSON.stringify([intendedTrackType ?? null, periodIndex ?? null]))
  return { pk, sk: `${epochPrefix(epoch)} kid-override ${match}` }
}

/** The form of a text in a sort key, which is limited to 1 KB. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The key of a document of an epoch, in a partition that answers never read. */
export function documentKeyOf(ref: ContentRef, epoch: number): DynamoDbKey {
  return { pk: documentPartition(ref), sk: `${epochPrefix(epoch)} document` }
}

export function documentPartition({ tenant, contentId }: ContentRef): string {
  return `document ${JSON.stringify([tenant, contentId])}`
}

/** The partition of the issued kids of a content. */
export function issuedPartition({ tenant, contentId }: ContentRef): string {
  return `issued ${JSON.stringify([tenant, contentId])}`
}

/** DynamoDB limits an item to 400 KB. */
const PACKED_FROM = 100_000

/** The text, compressed if it is long. */
export function pack(text: string): string | Uint8Array {
  return text.length > PACKED_FROM ? new Uint8Array(deflateRawSync(text)) : text
}

export function unpack(packed: DynamoDbValue): string {
  return packed instanceof Uint8Array ? inflateRawSync(packed).toString('utf8') : toText(packed)
}

/** The partition of all data keys. They are few, and read together at start. */
export const DATA_KEYS = 'data-keys'
const GENERATION_DIGITS = 10

export function dataKeyKeyOf(tenant: Tenant, generation: number): DynamoDbKey {
  return { pk: DATA_KEYS, sk: `${dataKeyPrefix(tenant)}${String(generation).padStart(GENERATION_DIGITS, '0')}` }
}

export function dataKeyPrefix(tenant: Tenant): string {
  return `${JSON.stringify(tenant)} `
}

/** The partition of all clients. */
export const CLIENTS = 'clients'
