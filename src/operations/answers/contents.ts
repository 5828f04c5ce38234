import { z } from 'zod'
import { contentIdText, contentKeyClass, kid, time, trackTypes } from './fields.ts'

const LISTED = {
  contentId: contentIdText,
  state: z.enum(['active', 'expired', 'held', 'destroyed']).meta({
    description:
      '`expired`: players get 410, and a request of an encryptor revives the content. `held`: the content neither expires nor can be deleted.',
  }),
  class: z.string().meta({ description: 'The retention class, by the current rules.', example: 'live' }),
  createdAt: time.optional().meta({ description: 'Absent for a content of a release that did not store it.' }),
  expiresAt: time.optional().meta({ description: 'From when players get 410. Absent: never, by the current rules.' }),
  destroyedFrom: time
    .optional()
    .meta({ description: 'The end of the grace period: then it is destroyed unless an encryptor asks for its keys.' }),
  hold: z.string().optional().meta({ description: 'The reason of the hold. Absent for a hold by the configuration.' }),
  destroyed: z
    .strictObject({ at: time, reason: z.string(), cause: z.enum(['deleted', 'expired']) })
    .optional()
    .meta({ description: 'When and why its keys were destroyed.' }),
  epoch: z.int().meta({ description: 'How often the content received new keys after it had expired.' }),
  hasSecret: z.boolean().meta({ description: 'Whether keys can be derived for it.' }),
  overrides: z.int(),
  kidOverrides: z.int(),
}

/** The listed facts of a content. */
export const LISTED_CONTENT = z.strictObject(LISTED).meta({ id: 'Content' })

export const CONTENT_LIST = z
  .strictObject({
    contents: z.array(LISTED_CONTENT),
    next: z.string().optional().meta({ description: 'The cursor of the next page. Absent at the end.' }),
  })
  .meta({ id: 'ContentList' })

/** A content with its last requested key periods, the newest first, at most 10. */
export const SHOWN_CONTENT = z
  .strictObject({
    ...LISTED,
    lastPeriods: z.array(
      z.strictObject({
        periodId: z.string().meta({ description: 'Empty for a document without key periods.' }),
        index: z.int().optional(),
        keys: z.array(z.strictObject({ kid, class: contentKeyClass, intendedTrackTypes: trackTypes })),
        firstAt: time,
        lastAt: time,
        requests: z.int(),
        client: z.string(),
      }),
    ),
  })
  .meta({ id: 'ShownContent' })

export const HELD_CONTENT = z.strictObject({ contentId: contentIdText, held: z.boolean() }).meta({ id: 'Held' })

export const DELETED_CONTENT = z
  .strictObject({
    contentId: contentIdText,
    destroyedAt: time,
    already: z.boolean().meta({ description: 'It was deleted before: nothing changed.' }),
  })
  .meta({ id: 'DeletedContent' })

const PERIOD = z.strictObject({
  state: z
    .enum(['issued', 'current', 'expected'])
    .meta({ description: '`expected`: a future period, by estimate. The encryptor will choose its kids.' }),
  periodId: z.string().optional(),
  index: z.int().optional(),
  start: time.optional(),
  end: time.optional().meta({ description: 'Belongs to the next period. Absent if unknown.' }),
  times: z
    .enum(['document', 'observed', 'computed'])
    .meta({ description: 'The source of the times: the document, the first requests, or the estimate.' }),
  startOffset: z.string().optional(),
  endOffset: z.string().optional(),
  keys: z.array(
    z.strictObject({
      kid,
      class: contentKeyClass,
      commonEncryptionScheme: z.string(),
      intendedTrackTypes: trackTypes,
    }),
  ),
  firstAt: time.optional(),
  lastAt: time.optional(),
})
export const LISTED_PERIOD = PERIOD

/** The rotation schedule of a content, the earliest period first. */
export const CONTENT_PERIODS = z
  .strictObject({
    contentId: contentIdText,
    rotation: z
      .strictObject({
        basis: z.enum(['document', 'configured', 'observed']),
        intervalSeconds: z.number(),
        confidence: z.enum(['high', 'medium', 'low']),
        stopped: z.boolean().meta({ description: 'Too many requests did not arrive: the content has stopped.' }),
      })
      .optional()
      .meta({ description: 'The estimate behind the expected periods. Absent without a rotation.' }),
    periods: z.array(PERIOD),
    more: z.boolean().meta({ description: 'Older periods exist that are not listed.' }),
  })
  .meta({ id: 'ContentPeriods' })
