import { z } from 'zod'
import { ENCRYPTED_RESOLUTION, RESOLUTION } from '../../../operations/answers/keys.ts'
import { resolveKeys } from '../../../operations/resolve/resolve.ts'
import { contentIdText, contentKeyClass, kid } from '../fields.ts'
import { operation } from '../operation.ts'

const KID = '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101'

export const resolve = operation({
  id: 'resolveKeys',
  method: 'post',
  path: '/api/resolve',
  tag: 'licence servers',
  summary: 'The keys of kids that encryptors were given',
  description:
    'For a licence server. It creates nothing and refuses what players are refused. Recorded in the audit log before a key leaves. With `encryption` the keys are readable to the holder of the private key alone. An answer is never remembered, so an Idempotency-Key does nothing here.',
  scope: 'keys:resolve',
  body: z.strictObject({
    kids: z.array(kid).min(1).max(256),
    contentId: contentIdText.optional().meta({ description: 'Without it the kids are looked for in every content.' }),
    contentKeyClass: contentKeyClass.optional(),
    encryption: z
      .strictObject({
        format: z.enum(['jwe', 'cpix']),
        certificate: z.string().max(16_384).meta({ description: 'PEM, or base64 of DER; RSA of 2048 to 4096 bits.' }),
      })
      .optional(),
  }),
  bodyExample: { kids: [KID] },
  answer: z.union([RESOLUTION, ENCRYPTED_RESOLUTION]).meta({ id: 'Resolution' }),
  example: {
    keys: [
      {
        kid: KID,
        contentId: 'live-1',
        class: 'drm',
        key: 'ABEiM0RVZneImaq7zN3u/w==',
        explicitIV: 'AQIDBAUGBwgJCgsMDQ4PEA==',
        commonEncryptionScheme: 'cbcs',
        intendedTrackTypes: ['VIDEO'],
        policy: {},
      },
    ],
    errors: [],
  },
  refusals: ['ERR_RECIPIENT_INVALID', 'ERR_AUDIT_UNAVAILABLE'],
  handle({ body, caller }, { management }) {
    const authorize = (contentId: string, recipientFingerprints: readonly string[]) =>
      caller.authorize({ scope: 'keys:resolve', contentId, recipientFingerprints })
    return resolveKeys(management, caller.operator, { ...body, authorize, sees: caller.sees })
  },
})
