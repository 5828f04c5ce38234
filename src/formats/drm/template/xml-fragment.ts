import { KeyProviderError } from '../../../core/errors.ts'
import { readXml } from '../../xml/reader.ts'

/** Why `text` cannot be the content of an element; undefined for well-formed XML that declares each of its prefixes. */
export function xmlFragmentProblem(text: string): string | undefined {
  try {
    readXml(Buffer.from(`<fragment>${text}</fragment>`))
    return undefined
  } catch (error) {
    if (error instanceof KeyProviderError) return error.message
    throw error
  }
}
