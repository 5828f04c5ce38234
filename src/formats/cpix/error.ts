import { KeyProviderError } from '../../core/errors.ts'
import type { XmlElement } from '../xml/document.ts'
import { pathOf } from '../xml/reader.ts'

/** The document is not valid CPIX. `path` names the element or attribute. */
export class CpixError extends KeyProviderError {
  override readonly name = 'CpixError'
  readonly path: string

  /** `problem` never quotes a value: it could be a key. */
  constructor(path: string, problem: string) {
    super('ERR_CPIX_INVALID', `Malformed CPIX document: ${path}: ${problem}`)
    this.path = path
  }
}

/** The error for an element. */
export function elementError(element: XmlElement, problem: string): CpixError {
  return new CpixError(pathOf(element), problem)
}

/** The error for an attribute of an element. */
export function attributeError(element: XmlElement, name: string, problem: string): CpixError {
  return new CpixError(`${pathOf(element)}/@${name}`, problem)
}
