import type { Tenant } from '../../keys/ports/content-ref.ts'

/** The event types. To add one, add a line here and its row in docs/guides/events.md. */
export const EVENT_TYPES = [
  'key.issued',
  'key.imported',
  'key.exported',
  'content.deleted',
  'content.expired',
  'rotation.missed',
  'request.refused',
  'seal.failure',
] as const
export type EventType = (typeof EVENT_TYPES)[number]

/** An event. Never a key, a token or a document. */
export interface KeyspringEvent {
  readonly type: EventType
  readonly tenant?: Tenant | undefined
  /** The content of the event. */
  readonly contentId?: string | undefined
  /** Milliseconds since 1970. */
  readonly at: number
  /** The same for an event that several nodes observe, so that a receiver can drop duplicates. Undefined: a new random ID. */
  readonly id?: string | undefined
  readonly data: Readonly<Record<string, string | number | boolean | readonly string[]>>
}

/** Delivers an event soon. Never throws. */
export type Emit = (event: KeyspringEvent) => void
