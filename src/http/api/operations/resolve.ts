import { z } from 'zod'
import { resolveKeys } from '../../../operations/resolve/resolve.ts'
import { contentIdText, contentKeyClass, kid, time } from '../fields.ts'
import { operation } from '../operation.ts'

const KID = '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101'

const Unresolved = z
  .strictObject({
    kid,
    code: z.string(),
    message: z.string(),
    contentIds: z.array(z.string()).optional().meta({ description: 'Those that have the kid.' }),
  })
  .meta({ id: 'UnresolvedKid' })
const Resolved = z
  .strictObject({
    kid,
    contentId: contentIdText,
    class: contentKeyClass,
    key: z.string().meta({ description: 'Base64 of 16 bytes, as is the IV.', example: 'ABEiM0RVZneImaq7zN3u/w==' }),
    explicitIV: z.string().optional(),
    commonEncryptionScheme: z.string().optional(),
    intendedTrackTypes: z.array(z.string()),
    contentKeyPeriod: z
      .strictObject({ index: z.int().optional(), start: z.string().optional(), end: z.string().optional() })
      .optional(),
    policy: z.strictObject({ expiresAt: time.optional() }),
  })
  .meta({ id: 'ResolvedKey' })

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
  answer: z
    .union([
      z.strictObject({ keys: z.array(Resolved), errors: z.array(Unresolved) }),
      z.strictObject({
        format: z.enum(['jwe', 'cpix']),
        encrypted: z.string().meta({ description: 'The JWE of such an answer, or a CPIX document.' }),
        count: z.int(),
        errors: z.array(Unresolved),
      }),
    ])
    .meta({ id: 'Resolution' }),
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
