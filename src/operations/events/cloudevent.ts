import { createHash } from 'node:crypto'
import type { KeyspringEvent } from '../ports/events.ts'

/** An event as it is delivered. */
export interface CloudEvent {
  /** The same at every attempt: a receiver that has it already may ignore it. */
  readonly id: string
  /** application/cloudevents+json. */
  readonly json: string
}

/** What types begin with. */
const TYPE_PREFIX = 'io.keyspring.'
/** What the attributes of CloudEvents may not hold: control characters and characters that are none. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for
const NO_ATTRIBUTE = /[\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]/

/**
 * An event in the structured JSON of CloudEvents. Its subject is the contentId, where that can be an attribute; in `data` it
 * always is.
 * @see CloudEvents 1.0.2, 3; CloudEvents JSON format 1.0.2, 3
 */
export function toCloudEvent(event: KeyspringEvent, node: string, newId: () => string): CloudEvent {
  const { type, tenant, contentId, at, data } = event
  const id = `evt_${event.id === undefined ? newId() : digest(event.id)}`
  const json = JSON.stringify({
    specversion: '1.0',
    id,
    source: `keyspring/${node}`,
    type: TYPE_PREFIX + type,
    subject: attribute(contentId),
    time: new Date(at).toISOString(),
    tenant: attribute(tenant),
    datacontenttype: 'application/json',
    data: { ...bounded(data), contentId },
  })
  return { id, json }
}

const MAX_TEXT = 1024
const MAX_LIST = 100

/** What an operator wrote may be long. */
function bounded(data: KeyspringEvent['data']): KeyspringEvent['data'] {
  const cut = (text: string): string => text.slice(0, MAX_TEXT)
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => {
      if (typeof value === 'string') return [name, cut(value)]
      return [name, typeof value === 'object' ? value.slice(0, MAX_LIST).map(cut) : value]
    }),
  )
}

function attribute(text: string | undefined): string | undefined {
  return text === undefined || text === '' || !text.isWellFormed() || NO_ATTRIBUTE.test(text) ? undefined : text
}

/** An id that may stand in a header, whatever the event's own id is made of. */
function digest(id: string): string {
  return createHash('sha256').update(id).digest('base64url').slice(0, 24)
}
