import { readFileSync } from 'node:fs'
import { KeyProviderError } from '../../../core/errors.ts'
import { type SystemId, toSystemId } from '../../../formats/cenc.ts'
import { PLAYREADY } from '../../../formats/drm/facts.ts'
import { decodePlayReadyObject } from '../../../formats/drm/payloads/playready-object.ts'
import { decodePssh } from '../../../formats/drm/payloads/pssh.ts'

import { readInput, type World } from '../../shared/world.ts'

const KEY_BYTES = 16

/**
 * The 16 bytes in a file, or on standard input for `-`: raw, as 32 hex digits, or in base64. A key is never an argument: `ps`
 * shows arguments. Throws ERR_OVERRIDE_INVALID.
 */
export function readKeyFile(option: string, file: string, world: World): Uint8Array {
  const bytes = readInput(world, file)
  if (bytes.length === KEY_BYTES) return bytes
  const decoded = decodeKey(bytes.toString('latin1').trim())
  bytes.fill(0)
  if (decoded?.length === KEY_BYTES) return decoded
  throw new KeyProviderError(
    'ERR_OVERRIDE_INVALID',
    `${option}: expected ${KEY_BYTES} bytes: raw, as 32 hex digits, or in base64`,
  )
}

function decodeKey(text: string): Buffer | undefined {
  if (/^[\da-f]{32}$/i.test(text)) return Buffer.from(text, 'hex')
  return /^[\w+/-]{22}(==)?$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

/**
 * Reads pssh boxes, each given as `SYSTEM_ID=FILE`; the file holds the box as bytes, hex or base64. Throws ERR_OVERRIDE_INVALID
 * for a box that no answer could contain: the operator sees it now, not the encryptor later.
 */
export function readPsshFiles(pairs: readonly string[]): Readonly<Record<SystemId, Uint8Array>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [system = '', ...file] = pair.split('=')
      const systemId = toSystemId(system)
      if (systemId === undefined || file.length === 0) throw invalidPssh('expected SYSTEM_ID=FILE')
      return [systemId, readPsshFile(file.join('='), systemId)]
    }),
  )
}

function readPsshFile(file: string, systemId: SystemId): Uint8Array {
  const bytes = decodeBox(readFileSync(file))
  if (bytes === undefined) throw invalidPssh(`${file}: expected one pssh box, as bytes, hex or base64`)
  try {
    const box = decodePssh(bytes)
    if (box.systemId !== systemId)
      throw invalidPssh(`${file}: the box is for the system ${box.systemId}, not ${systemId}`)
    if (systemId === PLAYREADY) decodePlayReadyObject(box.data)
  } catch (cause) {
    if (!(cause instanceof KeyProviderError) || cause.code === 'ERR_OVERRIDE_INVALID') throw cause
    throw invalidPssh(`${file}: ${cause.message}`, cause)
  }
  return bytes
}

function decodeBox(content: Buffer): Buffer | undefined {
  if (content.toString('latin1', 4, 8) === 'pssh') return content
  const text = content.toString('latin1').replaceAll(/\s/g, '')
  if (/^(?:[\dA-Fa-f]{2})+$/.test(text)) return Buffer.from(text, 'hex')
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

function invalidPssh(problem: string, cause?: unknown): KeyProviderError {
  return new KeyProviderError('ERR_OVERRIDE_INVALID', `--pssh: ${problem}`, cause === undefined ? {} : { cause })
}
