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
  summary: 'Resolves kids to the keys that encryptors received',
  description:
    'For a licence server. It creates nothing, and rejects what players cannot have: expired and destroyed contents. The audit log records it before a key leaves. With `encryption`, only the holder of the private key can read the keys; a client with pinned recipients must use it. Answers are never stored, so an Idempotency-Key has no effect.',
  scope: 'keys:resolve',
  body: z.strictObject({
    kids: z.array(kid).min(1).max(256),
    contentId: contentIdText
      .optional()
      .meta({ description: 'Default: Keyspring looks for the kids in every content.' }),
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
