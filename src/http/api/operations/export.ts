import { z } from 'zod'
import { type ExportedKeys, exportKeys } from '../../../operations/export/keys.ts'
import { certificate, contentIdText, contentKeyClass, kid } from '../fields.ts'
import { operation } from '../operation.ts'
import { ApiRequestError } from '../problem.ts'

const KID = '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101'
const KEY = '00112233445566778899aabbccddeeff'
const IV = '0102030405060708090a0b0c0d0e0f10'

export const exporting = operation({
  id: 'exportKeys',
  method: 'post',
  path: '/api/keys/export',
  tag: 'keys',
  summary: 'Exports the keys of a content',
  description:
    'Encrypted for `recipients` in a CPIX document, or in the clear with `clear`. A client with pinned recipients gets no key in the clear. The audit log records kids and recipients before a key leaves. Answers are never stored, so an Idempotency-Key has no effect.',
  scope: 'keys:export',
  body: z.strictObject({
    contentId: contentIdText,
    kids: z.array(kid).min(1).max(10_000).optional().meta({ description: 'Default: all of them.' }),
    contentKeyClass: contentKeyClass.optional(),
    format: z.enum(['cpix', 'json', 'csv']).default('cpix'),
    recipients: z
      .array(certificate)
      .min(1)
      .max(32)
      .optional()
      .meta({ description: 'The certificates that the keys are encrypted for.' }),
    clear: z.literal(true).optional().meta({ description: 'The keys leave in the clear.' }),
  }),
  bodyExample: { contentId: 'live-1', format: 'json', clear: true },
  answer: z.custom<ExportedKeys>().meta({ type: 'string' }),
  example: undefined,
  rawAnswers: [
    {
      mediaType: 'application/json',
      description: 'The form that can be imported again.',
      example: { keys: [{ contentId: 'live-1', kid: KID, key: KEY, iv: IV, class: 'drm' }] },
    },
    {
      mediaType: 'text/csv',
      description: 'The same in lines.',
      example: `contentId,kid,key,iv,class\r\nlive-1,${KID},${KEY},${IV},drm\r\n`,
    },
    {
      mediaType: 'application/xml',
      description: 'A CPIX document.',
      example: '<CPIX xmlns="urn:dashif:org:cpix" contentId="live-1"/>',
    },
  ],
  encode: ({ bytes, mediaType }) => ({ bytes, mediaType }),
  refusals: [
    'ERR_CONTENT_NOT_FOUND',
    'ERR_KEY_NOT_FOUND',
    'ERR_CONTENT_GONE',
    'ERR_CONTENT_EXPIRED',
    'ERR_RECIPIENT_INVALID',
    'ERR_AUDIT_UNAVAILABLE',
  ],
  async handle({ body, caller }, { management }) {
    const { contentId, recipients, clear, ...wanted } = body
    if ((recipients !== undefined) === (clear === true)) {
      throw new ApiRequestError([{ path: 'body', problem: 'expected recipients, or clear for keys in the clear' }])
    }
    caller.authorize({ scope: 'keys:export', contentId })
    const authorize = (recipientFingerprints: readonly string[]) =>
      caller.authorize({ scope: 'keys:export', contentId, recipientFingerprints })
    return exportKeys(management, caller.operator, { ...wanted, contentId, recipients, authorize })
  },
})
