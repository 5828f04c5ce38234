import { z } from 'zod'
import { ForbiddenError } from '../../../auth/failure.ts'
import type { RetentionClass } from '../../../keys/content/lifetime.ts'
import { SWEEP_PLAN, SWEEP_REPORT } from '../../../operations/answers/sweep.ts'
import { planSweep } from '../../../operations/lifetime/expiry.ts'
import { contentIdText, flag } from '../fields.ts'
import { operation } from '../operation.ts'

const Class = z
  .strictObject({
    name: z.string(),
    keepSeconds: z.number().optional().meta({ description: 'After the last request; absent: for ever.' }),
    graceSeconds: z.number(),
    afterwards: z.enum(['gone', 'regenerate']),
  })
  .meta({ id: 'RetentionClass' })
const FOREVER = { name: 'forever', graceSeconds: 0, afterwards: 'gone' }
const LIVE = { name: 'live', keepSeconds: 604_800, graceSeconds: 86_400, afterwards: 'gone' }

export const show = operation({
  id: 'showRetention',
  method: 'get',
  path: '/api/retention',
  tag: 'retention',
  summary: 'The retention classes, and which one a content has',
  description: 'By the rules of the configuration as they are now.',
  scope: 'keys:read',
  query: z.strictObject({
    contentId: contentIdText.optional().meta({ description: 'A contentId as it is, stored or not.' }),
  }),
  answer: z
    .strictObject({
      default: z.string(),
      classes: z.array(Class),
      content: z.strictObject({ contentId: contentIdText, class: z.string(), held: z.boolean() }).optional().meta({
        description: 'What the rules say of `contentId`; the hold of an operator is told with the content.',
      }),
    })
    .meta({ id: 'Retention' }),
  example: {
    default: 'forever',
    classes: [FOREVER, LIVE],
    content: { contentId: 'live-1', class: 'live', held: false },
  },
  refusals: [],
  async handle({ query: { contentId }, caller }, { management, retention }) {
    const classes = retention.classes.map(toShown)
    if (contentId === undefined) return { default: retention.default, classes }
    caller.authorize({ scope: 'keys:read', contentId })
    const { name, held } = management.retention({ tenant: caller.operator.tenant, contentId })
    return { default: retention.default, classes, content: { contentId, class: name, held } }
  },
})

export const sweep = operation({
  id: 'sweep',
  method: 'post',
  path: '/api/sweep',
  tag: 'retention',
  summary: 'Destroys what is due, or says what that is',
  description:
    'What the sweeper does by itself every few minutes, for all tenants; it answers when it is done. With `dryRun` nothing is done, and the contents of the own tenant are told.',
  scope: 'admin',
  query: z.strictObject({ dryRun: flag('Only say what is due.').optional() }),
  answer: z.union([SWEEP_REPORT, SWEEP_PLAN]),
  example: { looked: 3, expired: 1, destroyed: 1, adopted: 0, kept: 1, forgottenPeriods: 0, forgottenWrites: 0 },
  refusals: ['ERR_AUDIT_UNAVAILABLE'],
  once: true,
  async handle({ query, caller }, { management, sweeper }) {
    // A sweep covers contents that a client with contentIds must not know of.
    if (caller.sees !== undefined) throw new ForbiddenError('content', caller.client)
    return query.dryRun === true ? planSweep(management, { tenant: caller.operator.tenant }) : sweeper.sweep()
  },
})

function toShown({ name, keepMs, graceMs, afterwards }: RetentionClass) {
  return {
    name,
    keepSeconds: keepMs === undefined ? undefined : keepMs / 1_000,
    graceSeconds: graceMs / 1_000,
    afterwards,
  }
}
