import { fileName, oneOf, section, text } from './fields.ts'

/** Where who did what is written down. */
export const AUDIT = section({
  directory: fileName.optional(),
  node: text('a name of 1 to 60 letters, digits, dots, dashes or underscores that starts with no dot', (value) =>
    /^[\w-][\w.-]{0,59}$/.test(value),
  ).optional(),
  issue: oneOf(['off', 'spool', 'require']).default('spool'),
}).prefault({})
