import { z } from 'zod'
import { contentIdText, time } from './fields.ts'

export const SWEEP_REPORT = z
  .strictObject({
    looked: z.int().meta({ description: 'Expired contents that were judged.' }),
    expired: z.int().meta({ description: 'Contents whose expiry this node reported.' }),
    destroyed: z.int(),
    adopted: z.int().meta({ description: 'Contents without a stored expiry that expire under the current rules.' }),
    kept: z.int().meta({ description: 'Expired contents that live longer under the current rules.' }),
    forgottenPeriods: z.int().meta({ description: 'Deleted records of the ledger.' }),
    forgottenWrites: z.int().meta({ description: 'Deleted writes with an idempotency key.' }),
  })
  .meta({ id: 'SweepReport' })

/** What sweeps will do with a content, unless an encryptor asks for its keys before. */
export const PLANNED_CONTENT = z.strictObject({
  tenant: z.string(),
  contentId: contentIdText,
  class: z.string(),
  expiresAt: time,
  action: z.enum(['destroy', 'wait', 'keep']).meta({ description: '`keep`: it lives longer under the current rules.' }),
  destroyedFrom: time.optional(),
  keptUntil: time.optional(),
})

export const SWEEP_PLAN = z
  .strictObject({
    contents: z.array(PLANNED_CONTENT),
    more: z.boolean().meta({ description: 'More contents exist than are listed.' }),
  })
  .meta({ id: 'SweepPlan' })
