import { createCipheriv } from 'node:crypto'

const ZEROS = Buffer.alloc(16)
const SHOWN_BYTES = 3

/**
 * The check value of a content key: the first three bytes of AES-ECB(key, sixteen zero bytes), in hex. Two people compare it to see
 * that they hold the same key; 24 bits of it tell nothing of the other 104.
 * @see ANSI X9.24-1, key check value
 */
export function checkValue(key: Uint8Array): string {
  const aes = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false)
  const block = Buffer.concat([aes.update(ZEROS), aes.final()])
  return block.subarray(0, SHOWN_BYTES).toString('hex')
}
