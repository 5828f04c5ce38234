import { KeyProviderError } from '../../../core/errors.ts'
import { readXml } from '../../xml/reader.ts'

/** Why `text` could not stand inside an element, or undefined when it could: well-formed, every prefix declared. */
export function xmlFragmentProblem(text: string): string | undefined {
  try {
    readXml(Buffer.from(`<fragment>${text}</fragment>`))
    return undefined
  } catch (error) {
    if (error instanceof KeyProviderError) return error.message
    throw error
  }
}
