import { z } from 'zod'
import type { Force } from '../../keys/content/overrides.ts'
import { converted, MAX_CONTENT_ID } from '../../operations/answers/fields.ts'
import { fromUrlSegment } from '../../protocols/speke/urls.ts'

export { contentIdText, contentKeyClass, kid, time } from '../../operations/answers/fields.ts'

/** A contentId as one segment of a path. */
const contentSegment = converted(
  'a contentId of 1 to 256 characters: A-Z a-z 0-9 _ - as they are, else ~ and its base64url form',
  toContentId,
  {
    description: 'The contentId if it has only `A-Z a-z 0-9 _ -`, else `~` and its base64url form.',
    example: 'live-1',
  },
)

function toContentId(segment: string): string | undefined {
  const contentId = fromUrlSegment(segment)
  return contentId === undefined || contentId.length > MAX_CONTENT_ID ? undefined : contentId
}

export const contentParams = z.strictObject({ content: contentSegment })

/** 16 bytes as hex or base64. */
export const sixteenBytes = converted('16 bytes as 32 hex digits or base64', toSixteenBytes, {
  description: '16 bytes as 32 hex digits or base64.',
})

export const reason = z
  .string()
  .trim()
  .min(1)
  .max(512)
  .meta({ description: 'The reason, for the audit log.', example: 'the licence ended' })
export const force = z.boolean().meta({ description: 'Change keys that encryptors may hold. Requires a reason.' })

/** A number in a query. */
export const count = (least: number, most: number, description: string, example: number) =>
  converted(
    `a whole number from ${least} to ${most}`,
    (text) => {
      const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
      return value >= least && value <= most ? value : undefined
    },
    { type: 'integer', minimum: least, maximum: most, description, example },
  )

/** True or false in a query. */
export const flag = (description: string) =>
  converted('true or false', (text) => ({ true: true, false: false })[text], { type: 'boolean', description })

/** A time in a query, as milliseconds since 1970. */
export const moment = (description: string) =>
  converted('a time such as 2026-11-21T19:00:00Z', toMoment, {
    format: 'date-time',
    description,
    example: '2026-11-21T19:00:00Z',
  })

function toMoment(text: string): number | undefined {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  return Number.isNaN(at) ? undefined : at
}

function toSixteenBytes(text: string): Uint8Array | undefined {
  if (/^[\da-f]{32}$/i.test(text)) return Buffer.from(text, 'hex')
  return /^[A-Za-z0-9+/]{22}==$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

/** The force and reason of a change, for the operations. */
export function forceOf(given: { readonly force?: boolean | undefined; readonly reason?: string | undefined }): Force {
  const { force: isForced, reason: why } = given
  return { ...(isForced !== undefined && { force: isForced }), ...(why !== undefined && { reason: why }) }
}

/** A certificate as DER. */
export const certificate = converted('a certificate in PEM, or base64 of DER', toCertificate, {
  description: 'PEM, or base64 of DER.',
})

function toCertificate(text: string): Uint8Array | undefined {
  if (text.length > MAX_CERTIFICATE) return undefined
  const base64 = (PEM.exec(text)?.[1] ?? text).replaceAll(/\s+/g, '')
  return /^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? Buffer.from(base64, 'base64') : undefined
}

const MAX_CERTIFICATE = 16_384
const PEM = /^\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----\s*$/
