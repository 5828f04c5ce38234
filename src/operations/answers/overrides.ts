import { z } from 'zod'
import { contentKeyClass, kid } from './fields.ts'

/** A rule that gives the content keys it matches another kid. */
export const KID_OVERRIDE = z
  .strictObject({
    intendedTrackType: z.string().min(1).max(64).optional().meta({ description: 'Absent: any.', example: 'AUDIO' }),
    periodIndex: z.int().min(0).max(4_294_967_295).optional().meta({ description: 'Absent: any.', example: 7 }),
    kid,
  })
  .meta({ id: 'KidOverride' })

export const CONTENT_OVERRIDES = z
  .strictObject({
    overrides: z.array(
      z.strictObject({
        kid,
        contentKeyClass,
        psshSystemIds: z.array(z.string()).meta({ description: 'The systems with a stored pssh box.' }),
      }),
    ),
    kidOverrides: z.array(KID_OVERRIDE),
  })
  .meta({ id: 'ContentOverrides' })
