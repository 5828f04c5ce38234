import { createHash } from 'node:crypto'
import type { KeyspringEvent } from '../ports/events.ts'

/** A delivered event. */
interface CloudEvent {
  /** The same at every attempt: a receiver ignores an ID that it knows. */
  readonly id: string
  /** application/cloudevents+json. */
  readonly json: string
}

/** The prefix of every event type. */
const TYPE_PREFIX = 'io.keyspring.'
/** Characters that attributes of CloudEvents must not contain: control characters and noncharacters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the expression finds control characters
const NO_ATTRIBUTE = /[\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]/

/**
 * An event in the structured JSON of CloudEvents. `data` always has the contentId; `subject` has it if it is valid as an
 * attribute.
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

/** Cuts long text of operators. */
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

/** An ID that is valid in a header. */
function digest(id: string): string {
  return createHash('sha256').update(id).digest('base64url').slice(0, 24)
}
