import { readFileSync } from 'node:fs'
import { KeyProviderError } from '../../../core/errors.ts'

const SIZE = 16

/** The 16 bytes in a file, or on standard input for `-`: raw, as 32 hex digits, or in base64. A key is never an argument: arguments show in `ps`. */
export function readKeyFile(option: string, file: string): Uint8Array {
  const bytes = readFileSync(file === '-' ? 0 : file)
  if (bytes.length === SIZE) return bytes
  const text = bytes.toString('latin1').trim()
  const decoded = decode(text)
  bytes.fill(0)
  if (decoded?.length === SIZE) return decoded
  throw new KeyProviderError(
    'ERR_OVERRIDE_INVALID',
    `${option}: expected ${SIZE} bytes: as they are, as 32 hex digits, or in base64`,
  )
}

function decode(text: string): Buffer | undefined {
  if (/^[\da-f]{32}$/i.test(text)) return Buffer.from(text, 'hex')
  return /^[\w+/-]{22}(==)?$/.test(text) ? Buffer.from(text, 'base64') : undefined
}
