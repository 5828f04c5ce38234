import { readFileSync } from 'node:fs'
import { KeyProviderError } from '../../../core/errors.ts'
import { type SystemId, toSystemId } from '../../../formats/cenc.ts'
import { PLAYREADY } from '../../../formats/drm/facts.ts'
import { decodePlayReadyObject } from '../../../formats/drm/payloads/playready-object.ts'
import { decodePssh } from '../../../formats/drm/payloads/pssh.ts'

/**
 * Reads ready-made pssh boxes, each given as `SYSTEM_ID=FILE`; the file holds the box as bytes, hex or base64. A box that an
 * answer could not be made with is refused here, not when an encryptor asks.
 */
export function readPsshFiles(pairs: readonly string[]): Readonly<Record<SystemId, Uint8Array>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [system = '', ...file] = pair.split('=')
      const systemId = toSystemId(system)
      if (systemId === undefined || file.length === 0) throw invalid('expected SYSTEM_ID=FILE')
      return [systemId, readPsshFile(file.join('='), systemId)]
    }),
  )
}

function readPsshFile(file: string, systemId: SystemId): Uint8Array {
  const bytes = toBytes(readFileSync(file))
  if (bytes === undefined) throw invalid(`${file}: expected one pssh box, as bytes, hex or base64`)
  try {
    const box = decodePssh(bytes)
    if (box.systemId !== systemId) throw invalid(`${file}: the box is for the system ${box.systemId}, not ${systemId}`)
    if (systemId === PLAYREADY) decodePlayReadyObject(box.data)
  } catch (cause) {
    if (!(cause instanceof KeyProviderError) || cause.code === 'ERR_OVERRIDE_INVALID') throw cause
    throw new KeyProviderError('ERR_OVERRIDE_INVALID', `--pssh: ${file}: ${cause.message}`, { cause })
  }
  return bytes
}

function toBytes(content: Buffer): Buffer | undefined {
  if (content.toString('latin1', 4, 8) === 'pssh') return content
  const text = content.toString('latin1').replaceAll(/\s/g, '')
  if (/^(?:[\dA-Fa-f]{2})+$/.test(text)) return Buffer.from(text, 'hex')
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_OVERRIDE_INVALID', `--pssh: ${problem}`)
}
