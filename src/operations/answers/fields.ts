import { z } from 'zod'
import { type Kid, toKid } from '../../formats/cenc.ts'

// Messages say what is expected and never what was received: a value may be a key in the wrong place.

/** The longest contentId, in characters. */
export const MAX_CONTENT_ID = 256

/** Text that `convert` reads; described as `meta` says. */
export function converted<T>(expected: string, convert: (text: string) => T | undefined, meta: object) {
  return z
    .string()
    .transform((text, context): T => {
      const value = convert(text)
      if (value !== undefined) return value
      context.addIssue({ code: 'custom', message: `expected ${expected}` })
      return z.NEVER
    })
    .meta({ type: 'string', ...meta })
}

export const kid = converted<Kid>('a UUID', toKid, {
  format: 'uuid',
  description: 'The ID of a content key.',
  example: '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101',
})

export const contentKeyClass = z.enum(['drm', 'clear']).meta({
  description: '`clear` for keys that no DRM system shares (AES-128, ClearKey), else `drm`.',
  example: 'drm',
})

export const contentIdText = z.string().min(1).max(MAX_CONTENT_ID).meta({ example: 'live-1' })
export const time = z.iso.datetime().meta({ example: '2026-11-21T19:00:00.000Z' })
export const trackTypes = z.array(z.string())

/** What an operation returns, by its schema: the values before they are written as JSON. */
export type Answered<S extends z.ZodType> = DeepReadonly<z.output<S>>

type DeepReadonly<T> = T extends string | number | boolean | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly DeepReadonly<Item>[]
    : T extends object
      ? { readonly [Name in keyof T]: DeepReadonly<T[Name]> }
      : T
