import { base64, type Template } from '../../core/template.ts'
import type { KeyFilling } from './system.ts'

/** The base64 of `bytes`. The same template always gives the same one: its holes are shared, so filled once an answer. */
export function base64Of(bytes: Template<KeyFilling>): Template<KeyFilling> {
  const known = encoded.get(bytes)
  if (known !== undefined) return known
  const text = base64(bytes)
  encoded.set(bytes, text)
  return text
}

const encoded = new WeakMap<Template<KeyFilling>, Template<KeyFilling>>()
