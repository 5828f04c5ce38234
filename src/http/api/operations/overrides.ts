import { z } from 'zod'
import { CONTENT_OVERRIDES, KID_OVERRIDE } from '../../../operations/answers/overrides.ts'
import { checkValue } from '../../../operations/contents/keys.ts'
import {
  addOverrideRule,
  listContentOverrides,
  overrideKey,
  removeOverrideKey,
  removeOverrideRule,
} from '../../../operations/contents/override-keys.ts'
import { contentKeyClass, contentParams, count, flag, force, forceOf, kid, reason, sixteenBytes } from '../fields.ts'
import { operation } from '../operation.ts'

const KID = '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101'
const OTHER = '0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f'

const Removed = z
  .strictObject({ removed: z.boolean().meta({ description: 'Whether it existed.' }) })
  .meta({ id: 'Removed' })
const forced = {
  force: flag('Change keys that encryptors may hold. Requires a reason.').optional(),
  reason: reason.optional(),
}
const given = { force: force.optional(), reason: reason.optional() }
const CHANGING = ['ERR_OVERRIDE_EXISTS', 'ERR_OVERRIDE_INVALID', 'ERR_CONTENT_GONE'] as const

export const list = operation({
  id: 'listOverrides',
  method: 'get',
  path: '/api/contents/{content}/overrides',
  tag: 'overrides',
  summary: 'Lists the overrides of a content, without keys, and its rules for kids',
  description: 'A content that is not stored has none.',
  scope: 'keys:read',
  params: contentParams,
  answer: CONTENT_OVERRIDES,
  example: {
    overrides: [{ kid: KID, contentKeyClass: 'drm', psshSystemIds: [] }],
    kidOverrides: [{ intendedTrackType: 'AUDIO', kid: OTHER }],
  },
  refusals: [],
  handle: ({ path, caller }, { management }) => listContentOverrides(management, caller.operator, path.content),
})

export const add = operation({
  id: 'addOverride',
  method: 'post',
  path: '/api/contents/{content}/overrides',
  tag: 'overrides',
  summary: 'Stores a key for one kid of a content',
  description: 'The answer shows the check value of the key, never the key.',
  scope: 'keys:write',
  params: contentParams,
  body: z.strictObject({
    kid,
    key: sixteenBytes,
    iv: sixteenBytes.optional().meta({ description: '16 bytes, not the key. Without it the IV is derived.' }),
    contentKeyClass: contentKeyClass.default('drm'),
    ...given,
  }),
  bodyExample: { kid: KID, key: '00112233445566778899aabbccddeeff' },
  answer: z
    .strictObject({
      kid,
      contentKeyClass,
      checkValue: z.string().meta({
        description: 'The first three bytes of sixteen zero bytes encrypted with the key by AES, in hex.',
        example: 'fde4fb',
      }),
    })
    .meta({ id: 'AddedOverride' }),
  example: { kid: KID, contentKeyClass: 'drm', checkValue: 'fde4fb' },
  refusals: CHANGING,
  once: true,
  async handle({ path, body, caller }, { management }) {
    const { key, iv, kid: of, contentKeyClass: keyClass } = body
    const added = { contentId: path.content, kid: of, contentKeyClass: keyClass, key }
    try {
      const withIv = { ...added, ...(iv !== undefined && { iv }) }
      await overrideKey(management, caller.operator, { ...withIv, ...forceOf(body) })
      return { kid: of, contentKeyClass: keyClass, checkValue: checkValue(key) }
    } finally {
      key.fill(0)
    }
  },
})

export const remove = operation({
  id: 'removeOverride',
  method: 'delete',
  path: '/api/contents/{content}/overrides/{kid}',
  tag: 'overrides',
  summary: 'Removes the key of one kid',
  description: 'This changes an issued key, so it requires `force` and a reason.',
  scope: 'keys:write',
  params: z.strictObject({ ...contentParams.shape, kid }),
  query: z.strictObject({ contentKeyClass: contentKeyClass.default('drm'), ...forced }),
  answer: Removed,
  example: { removed: true },
  refusals: CHANGING,
  once: true,
  async handle({ path, query, caller }, { management }) {
    const { contentKeyClass: keyClass } = query
    const name = { contentId: path.content, kid: path.kid, contentKeyClass: keyClass }
    return { removed: await removeOverrideKey(management, caller.operator, { ...name, ...forceOf(query) }) }
  },
})

export const addRule = operation({
  id: 'addKidOverride',
  method: 'post',
  path: '/api/contents/{content}/kid-overrides',
  tag: 'overrides',
  summary: 'Adds a rule that gives content keys another kid',
  description: 'A rule matches a track type, a period index, both or neither.',
  scope: 'keys:write',
  params: contentParams,
  body: z.strictObject({ ...KID_OVERRIDE.shape, ...given }),
  bodyExample: { intendedTrackType: 'AUDIO', kid: OTHER },
  answer: KID_OVERRIDE,
  example: { intendedTrackType: 'AUDIO', kid: OTHER },
  refusals: CHANGING,
  once: true,
  async handle({ path, body, caller }, { management }) {
    const rule = { ...ruleOf(body), kid: body.kid }
    await addOverrideRule(management, caller.operator, { contentId: path.content, rule, ...forceOf(body) })
    return rule
  },
})

export const removeRule = operation({
  id: 'removeKidOverride',
  method: 'delete',
  path: '/api/contents/{content}/kid-overrides',
  tag: 'overrides',
  summary: 'Removes a rule for kids',
  description: 'Removes the rule with exactly this track type and period index. Requires `force` and a reason.',
  scope: 'keys:write',
  params: contentParams,
  query: z.strictObject({
    intendedTrackType: KID_OVERRIDE.shape.intendedTrackType,
    periodIndex: count(0, 4_294_967_295, 'Absent: the rule for any index.', 7).optional(),
    ...forced,
  }),
  answer: Removed,
  example: { removed: true },
  refusals: CHANGING,
  once: true,
  async handle({ path, query, caller }, { management }) {
    const removed = { contentId: path.content, rule: ruleOf(query), ...forceOf(query) }
    return { removed: await removeOverrideRule(management, caller.operator, removed) }
  },
})

interface WrittenRule {
  readonly intendedTrackType?: string | undefined
  readonly periodIndex?: number | undefined
}

function ruleOf({ intendedTrackType, periodIndex }: WrittenRule): Required<WrittenRule> {
  return { intendedTrackType, periodIndex }
}
