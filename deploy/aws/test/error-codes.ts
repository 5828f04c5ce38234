import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ERRORS = readFileSync(fileURLToPath(new URL('../../../docs/errors.md', import.meta.url)), 'utf8')

/** Whether this is an error code of Keyspring, as docs/errors.md lists them. */
export function isErrorCode(text: string): boolean {
  return ERRORS.includes(`\`${text}\``)
}
