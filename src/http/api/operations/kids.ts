import { z } from 'zod'
import { WIDEVINE } from '../../../formats/drm/facts.ts'
import { KID_LOOK_UP } from '../../../operations/answers/keys.ts'
import { kidNotFound, lookUpKid } from '../../../operations/contents/kids.ts'
import { kid } from '../fields.ts'
import { operation } from '../operation.ts'

const KID = '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101'
const AT = '2026-11-21T19:00:00.000Z'

export const show = operation({
  id: 'lookUpKid',
  method: 'get',
  path: '/api/kids/{kid}',
  tag: 'keys',
  summary: 'Finds the contents and key periods of a kid',
  description: 'From the requests of encryptors, up to one second ago. The answer holds no key.',
  scope: 'keys:read',
  params: z.strictObject({ kid }),
  answer: KID_LOOK_UP,
  example: {
    kid: KID,
    contents: [
      {
        contentId: 'live-1',
        classes: ['drm'],
        commonEncryptionSchemes: ['cbcs'],
        intendedTrackTypes: ['VIDEO'],
        systemIds: [WIDEVINE],
        firstAt: AT,
        lastAt: AT,
        requests: 1,
        periods: [{ periodId: 'p1', index: 1, firstAt: AT, lastAt: AT }],
      },
    ],
  },
  refusals: ['ERR_KEY_NOT_FOUND'],
  async handle({ path, caller }, { management }) {
    const { contents } = await lookUpKid(management, caller.operator, path)
    const seen = contents.filter(({ contentId }) => caller.sees?.(contentId) ?? true)
    // A kid of contents that the client may not name looks like a kid that was never issued.
    if (seen.length === 0) throw kidNotFound(path.kid)
    return { kid: path.kid, contents: seen }
  },
})
