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
    keepSeconds: z.number().optional().meta({ description: 'After the last request. Absent: permanently.' }),
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
  summary: 'Shows the retention classes, and the class of a content',
  description: 'By the current rules of the configuration.',
  scope: 'keys:read',
  query: z.strictObject({
    contentId: contentIdText.optional().meta({ description: 'A contentId, stored or not.' }),
  }),
  answer: z
    .strictObject({
      default: z.string(),
      classes: z.array(Class),
      content: z.strictObject({ contentId: contentIdText, class: z.string(), held: z.boolean() }).optional().meta({
        description: 'The rules for `contentId`. A hold by an operator is shown with the content instead.',
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
  summary: 'Destroys the contents that are due, or lists them',
  description:
    'The same as the sweeper does every few minutes, for all tenants of the server. The answer comes when the sweep is done. With `dryRun`, it changes nothing and lists the contents of your tenant. Not for clients that are limited to some contents.',
  scope: 'admin',
  query: z.strictObject({ dryRun: flag('List what is due, and change nothing.').optional() }),
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
