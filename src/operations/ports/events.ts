import type { Tenant } from '../../keys/ports/content-ref.ts'

/** What happens that others may want to know of. To add one, add a line here and its row in docs/guides/events.md. */
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

/** Something that happened. Never a key, a token or a document. */
export interface KeyspringEvent {
  readonly type: EventType
  readonly tenant?: Tenant | undefined
  /** The content it is about. */
  readonly contentId?: string | undefined
  /** Milliseconds since 1970. */
  readonly at: number
  /** The same for the same happening seen by several nodes, so that a receiver can tell; else a new one is made. */
  readonly id?: string | undefined
  readonly data: Readonly<Record<string, string | number | boolean | readonly string[]>>
}

/** Takes an event to be delivered soon; never throws. */
export type Emit = (event: KeyspringEvent) => void
