import { type ByteReader, toHex } from '../byte-reader.ts'
import type { InspectNode } from '../node.ts'
import { readFlags } from '../pssh.ts'

/** Version and flags, which many boxes begin with. @see ISO/IEC 14496-12, 4.2.2 */
export function fullBox(reader: ByteReader): { readonly version: number; readonly flags: number } {
  return { version: reader.number('version', 1), flags: readFlags(reader) }
}

/** A code of four letters. */
export function readFourCc(
  reader: ByteReader,
  name: string,
  explain: (value: string) => Partial<InspectNode> = () => ({}),
): string {
  let read = ''
  reader.bytes(name, 4, (bytes) => {
    read = Buffer.from(bytes).toString('latin1')
    return { value: /^[\x20-\x7e]{4}$/.test(read) ? read : toHex(bytes), ...explain(read) }
  })
  return read
}
