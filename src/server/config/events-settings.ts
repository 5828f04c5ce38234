import { EVENT_TYPES } from '../../operations/ports/events.ts'
import { fileName, list, oneOf, section, text, url, wholeNumber } from './fields.ts'

/** Who is told of what happens. */
export const EVENTS = section({
  webhook: section({
    url: url.optional(),
    secret: text(
      'a secret of 32 to 4096 characters, one line',
      (value) => value.length >= 32 && value.length <= 4_096 && !/[\r\n\0]/.test(value),
    ).optional(),
    timeoutMs: wholeNumber(100, 60_000).default(5_000),
  }).prefault({}),
  eventBus: text('the name or ARN of an event bus', (value) => /^[\w.:/-]{1,1600}$/.test(value)).optional(),
  file: fileName.optional(),
  types: list(oneOf(EVENT_TYPES)).default([...EVENT_TYPES]),
  deadLetterFile: fileName.optional(),
}).prefault({})
