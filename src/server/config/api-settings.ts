import { fileName, section, yesOrNo } from './fields.ts'

/** The management API. */
export const API = section({
  enabled: yesOrNo.default(true),
  importKeyFile: fileName.optional(),
}).prefault({})
