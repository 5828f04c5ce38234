import { z } from 'zod'
import {
  CONTENT_LIST,
  CONTENT_PERIODS,
  DELETED_CONTENT,
  HELD_CONTENT,
  SHOWN_CONTENT,
} from '../../../operations/answers/contents.ts'
import { deleteContent, holdContent, releaseContent } from '../../../operations/contents/changes.ts'
import { listContents, showContent } from '../../../operations/contents/contents.ts'
import { contentPeriods } from '../../../operations/rotation/periods.ts'
import { contentParams, count, moment, reason } from '../fields.ts'
import { operation } from '../operation.ts'

const Why = z.strictObject({ reason })

const CONTENT = {
  contentId: 'live-1',
  state: 'active',
  class: 'live',
  createdAt: '2026-11-21T19:00:00.000Z',
  expiresAt: '2026-11-28T19:00:00.000Z',
  destroyedFrom: '2026-11-29T19:00:00.000Z',
  epoch: 0,
  hasSecret: true,
  overrides: 0,
  kidOverrides: 0,
}
const SHOWN = {
  periodId: 'p1',
  index: 1,
  keys: [{ kid: '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101', class: 'drm', intendedTrackTypes: ['VIDEO'] }],
  firstAt: '2026-11-21T19:00:00.000Z',
  lastAt: '2026-11-21T19:00:00.000Z',
  requests: 1,
  client: 'encoder',
}

export const list = operation({
  id: 'listContents',
  method: 'get',
  path: '/api/contents',
  tag: 'contents',
  summary: 'Lists contents, in the order of their contentIds',
  description:
    'Those of the tenant of the credential that the client may name. A page of a search can be empty and have a next page.',
  scope: 'keys:read',
  query: z.strictObject({
    startsWith: z.string().max(256).optional().meta({ description: 'The start of the contentId.' }),
    contains: z.string().max(256).optional().meta({ description: 'A part of the contentId. Case-sensitive.' }),
    cursor: z.string().max(2_048).optional().meta({ description: 'The `next` of the previous page.' }),
    limit: count(1, 1_000, 'The most contents of the page. Default: 100.', 100).optional(),
  }),
  answer: CONTENT_LIST,
  example: { contents: [CONTENT], next: 'MWxpdmUtMQ' },
  refusals: [],
  handle: ({ query, caller }, { management }) =>
    listContents(management, caller.operator, { ...query, sees: caller.sees }),
})

export const show = operation({
  id: 'showContent',
  method: 'get',
  path: '/api/contents/{content}',
  tag: 'contents',
  summary: 'Shows a content and its last key periods',
  description: 'The answer holds no key.',
  scope: 'keys:read',
  params: contentParams,
  answer: SHOWN_CONTENT,
  example: { ...CONTENT, lastPeriods: [SHOWN] },
  refusals: ['ERR_CONTENT_NOT_FOUND'],
  handle: ({ path, caller }, { management }) => showContent(management, caller.operator, { contentId: path.content }),
})

export const remove = operation({
  id: 'deleteContent',
  method: 'delete',
  path: '/api/contents/{content}',
  tag: 'contents',
  summary: 'Destroys the keys of a content permanently',
  description:
    'Deletes its secret, overrides and document in one transaction. A later request of an encryptor gets 410. This cannot be undone.',
  scope: 'keys:write',
  params: contentParams,
  query: Why,
  answer: DELETED_CONTENT,
  example: { contentId: 'live-1', destroyedAt: '2026-11-21T19:00:00.000Z', already: false },
  refusals: ['ERR_CONTENT_NOT_FOUND', 'ERR_CONTENT_HELD'],
  once: true,
  handle: ({ path, query, caller }, { management }) =>
    deleteContent(management, caller.operator, { contentId: path.content, ...query }),
})

export const hold = operation({
  id: 'holdContent',
  method: 'put',
  path: '/api/contents/{content}/hold',
  tag: 'contents',
  summary: 'Places a content under legal hold',
  description: 'Until its release, the content neither expires nor can be deleted.',
  scope: 'keys:write',
  params: contentParams,
  body: Why,
  bodyExample: { reason: 'case 2026-17' },
  answer: HELD_CONTENT,
  example: { contentId: 'live-1', held: true },
  refusals: ['ERR_CONTENT_NOT_FOUND', 'ERR_CONTENT_GONE'],
  once: true,
  handle: ({ path, body, caller }, { management }) =>
    holdContent(management, caller.operator, { contentId: path.content, ...body }),
})

export const release = operation({
  id: 'releaseContent',
  method: 'delete',
  path: '/api/contents/{content}/hold',
  tag: 'contents',
  summary: 'Releases the legal hold of a content',
  description: 'Only a hold by an operator: to release a hold by a rule, change the configuration.',
  scope: 'keys:write',
  params: contentParams,
  query: Why,
  answer: HELD_CONTENT,
  example: { contentId: 'live-1', held: false },
  refusals: ['ERR_CONTENT_NOT_FOUND', 'ERR_CONTENT_GONE', 'ERR_CONTENT_HELD'],
  once: true,
  handle: ({ path, query, caller }, { management }) =>
    releaseContent(management, caller.operator, { contentId: path.content, ...query }),
})

export const periods = operation({
  id: 'listPeriods',
  method: 'get',
  path: '/api/contents/{content}/periods',
  tag: 'contents',
  summary: 'Shows the rotation schedule of a content',
  description:
    'The key periods that encryptors requested, with their kids, and the expected ones, whose kids the encryptor will choose. For apps and licence servers that prepare for a rotation.',
  scope: 'keys:read',
  params: contentParams,
  query: z.strictObject({
    from: moment('Only periods that end after this.').optional(),
    to: moment('Only periods that start before this.').optional(),
    expected: count(0, 100, 'The number of expected periods. Default: 5.', 5).optional(),
  }),
  answer: CONTENT_PERIODS,
  example: {
    contentId: 'live-1',
    rotation: { basis: 'observed', intervalSeconds: 3_600, confidence: 'high', stopped: false },
    periods: [{ state: 'expected', index: 8, start: '2026-11-21T20:00:00.000Z', times: 'computed', keys: [] }],
    more: false,
  },
  refusals: ['ERR_CONTENT_NOT_FOUND'],
  handle: ({ path, query, caller }, { management }) =>
    contentPeriods(management, caller.operator, { contentId: path.content, ...query }),
})
