import { z } from 'zod'
import { contentIdText, contentKeyClass, kid, time, trackTypes } from './fields.ts'

const LISTED = {
  kid,
  class: contentKeyClass,
  source: z.enum(['derived', 'override']).meta({ description: '`override`: imported, random or set by an operator.' }),
  issued: z.boolean().meta({ description: 'An encryptor received it, as far as the ledger still knows.' }),
  commonEncryptionScheme: z.string().optional(),
  intendedTrackTypes: trackTypes,
}
const checkValue = z.string().meta({
  description: 'The first three bytes of AES-ECB of a zero block, in hex: enough to compare two keys.',
  example: 'fde4fb',
})

/** The listed facts of a content key, without the key. */
export const LISTED_KEY = z.strictObject(LISTED)
/** A key with its check value. */
export const SHOWN_KEY = z.strictObject({ ...LISTED, checkValue })

export const KEY_LIST = z
  .strictObject({
    contentId: contentIdText,
    keys: z.array(LISTED_KEY),
    more: z.boolean().meta({ description: 'Key periods before the newest 1,000 were left out.' }),
  })
  .meta({ id: 'KeyList' })
export const SHOWN_KEYS = z.strictObject({ keys: z.array(SHOWN_KEY) }).meta({ id: 'ShownKeys' })

/** A content in which a kid was issued. */
export const KID_CONTENT = z.strictObject({
  contentId: contentIdText,
  classes: z
    .array(contentKeyClass)
    .meta({ description: 'More than one if it was requested with and without DRM: the keys differ.' }),
  commonEncryptionSchemes: z.array(z.string()),
  intendedTrackTypes: trackTypes,
  systemIds: z.array(z.string()),
  firstAt: time,
  lastAt: time,
  requests: z.int(),
  periods: z
    .array(
      z.strictObject({
        periodId: z.string(),
        index: z.int().optional(),
        start: z.string().optional(),
        end: z.string().optional(),
        firstAt: time,
        lastAt: time,
      }),
    )
    .meta({ description: 'The newest first, at most 100.' }),
})

export const KID_LOOK_UP = z.strictObject({ kid, contents: z.array(KID_CONTENT) }).meta({ id: 'KidLookUp' })

/** One key of an import, and what happened to it. */
export const IMPORTED_KEY = z.strictObject({
  contentId: contentIdText,
  kid,
  contentKeyClass,
  status: z.enum(['stored', 'same', 'refused']),
  checkValue: z.string(),
  refusal: z.string().optional().meta({ description: 'Why it was rejected.' }),
})

export const IMPORT_REPORT = z
  .strictObject({
    dryRun: z.boolean(),
    stored: z.int(),
    same: z.int().meta({ description: 'Keys that were stored before.' }),
    refused: z.int(),
    keys: z.array(IMPORTED_KEY),
    notes: z.array(z.string()).meta({ description: 'Skipped keys, and the signatures of a document.' }),
  })
  .meta({ id: 'ImportReport' })

/** A kid without a key in the answer. */
export const UNRESOLVED_KID = z
  .strictObject({
    kid,
    code: z.string(),
    message: z.string(),
    contentIds: z.array(z.string()).optional().meta({ description: 'The contents that have the kid, if several.' }),
  })
  .meta({ id: 'UnresolvedKid' })

/** A kid and its key, for a licence server. */
export const RESOLVED_KEY = z
  .strictObject({
    kid,
    contentId: contentIdText,
    class: contentKeyClass,
    key: z.string().meta({ description: 'Base64 of 16 bytes, as is the IV.', example: 'ABEiM0RVZneImaq7zN3u/w==' }),
    explicitIV: z
      .string()
      .optional()
      .meta({ description: 'The IV that Keyspring answers if it answers one. An encryptor can use its own.' }),
    commonEncryptionScheme: z.string().optional(),
    intendedTrackTypes: trackTypes,
    contentKeyPeriod: z
      .strictObject({ index: z.int().optional(), start: z.string().optional(), end: z.string().optional() })
      .optional()
      .meta({ description: 'The newest key period of the key, in the spelling of the encryptor.' }),
    policy: z.strictObject({ expiresAt: time.optional() }),
  })
  .meta({ id: 'ResolvedKey' })

export const RESOLUTION = z.strictObject({ keys: z.array(RESOLVED_KEY), errors: z.array(UNRESOLVED_KID) })
export const ENCRYPTED_RESOLUTION = z.strictObject({
  format: z.enum(['jwe', 'cpix']),
  encrypted: z.string().meta({ description: 'The JWE of such an answer, or a CPIX document.' }),
  count: z.int().meta({ description: 'How many keys it holds.' }),
  errors: z.array(UNRESOLVED_KID),
})
