import { createHash, timingSafeEqual } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'

/** One generation of a local root key. */
export interface RootKeyGeneration {
  /** 8 bytes that identify the key and reveal nothing about it. */
  readonly id: Buffer
  /** 32 bytes. */
  readonly key: Buffer
}

const KEY_SIZE = 32
const ID_SIZE = 8
const LINE = /^keyspring-root-key v1 ([0-9a-f]{16}) ([A-Za-z0-9+/]{43}=)$/

/** The identifier of a root key: the first bytes of a hash of it. */
export function rootKeyId(key: Uint8Array): Buffer {
  return createHash('sha256').update('keyspring/root-key-id/v1').update(key).digest().subarray(0, ID_SIZE)
}

/** The text of a root key file. */
export function printRootKeyFile(generations: readonly RootKeyGeneration[]): string {
  const lines = generations.map(
    ({ id, key }) => `keyspring-root-key v1 ${id.toString('hex')} ${key.toString('base64')}`,
  )
  return [
    '# Back this file up, apart from the store: without it every content key of the store is lost.',
    '# Keep it secret: with it and the store every content key can be read. One line a generation, the last is current.',
    ...lines,
    '',
  ].join('\n')
}

/**
 * The generations in a root key file; the last is the current one. Throws ERR_ROOT_KEY_INVALID, whose message names
 * the line and never quotes it.
 */
export function parseRootKeyFile(file: string, text: string): readonly RootKeyGeneration[] {
  const generations: RootKeyGeneration[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [, id = '', base64 = ''] = LINE.exec(line.trim()) ?? []
    const key = Buffer.from(base64, 'base64')
    if (key.length !== KEY_SIZE || key.toString('base64') !== base64) {
      throw invalid(file, `line ${index + 1} is not "keyspring-root-key v1 <id> <base64 of 32 bytes>"`)
    }
    const generation = { id: rootKeyId(key), key }
    if (!timingSafeEqual(generation.id, Buffer.from(id, 'hex'))) {
      throw invalid(file, `line ${index + 1}: the id does not match the key, so one of them was altered`)
    }
    generations.push(generation)
  }
  if (generations.length === 0) throw invalid(file, 'it holds no root key')
  return generations
}

function invalid(file: string, problem: string): KeyProviderError {
  return new KeyProviderError('ERR_ROOT_KEY_INVALID', `root key file ${file}: ${problem}; restore it from a backup`)
}
