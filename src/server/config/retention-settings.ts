import { z } from 'zod'
import { line, list, oneOf, section, text, wholeNumber } from './fields.ts'

const className = text('a name of 1 to 64 letters, digits, dots, dashes or underscores', (value) =>
  /^[\w.-]{1,64}$/.test(value),
)
// What it spells is read, and refused, where all classes are known.
const duration = text('a duration such as 7d, or forever', (value) => value.length <= 32)

/** How long contents live. */
export const RETENTION = section({
  default: className.default('forever'),
  classes: z
    .record(
      className,
      section({
        keep: duration,
        grace: duration.default('1d'),
        afterwards: oneOf(['gone', 'regenerate']).default('gone'),
      }),
      { error: 'expected a section of classes' },
    )
    .default({}),
  contents: list(section({ contentId: line, class: className })).default([]),
  hold: list(line).default([]),
  sweepMinutes: wholeNumber(0, 1_440).default(5),
}).prefault({})

/** Which contents change their keys how often, as far as that is known before they do. */
export const ROTATION = section({
  contents: list(section({ contentId: line, seconds: wholeNumber(1, 31_536_000) })).default([]),
  graceSeconds: wholeNumber(1, 86_400).default(30),
}).prefault({})
