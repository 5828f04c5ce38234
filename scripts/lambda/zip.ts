import { crc32, deflateRawSync } from 'node:zlib'

/** A file of an archive. */
export interface ZippedFile {
  readonly name: string
  readonly bytes: Buffer
}

const DEFLATED = 8
const VERSION = 20
/** Made by Unix, so that the mode counts: whoever runs the function must be able to read it. */
const MADE_BY = (3 << 8) | VERSION
const MODE = 0o100644
/** The first moment there is: an archive of the same files is the same bytes. */
const DATE = (1 << 5) | 1

/** A zip archive. @see https://pkware.cachefly.net/webdocs/APPNOTE/APPNOTE-6.3.10.TXT */
export function zipOf(files: readonly ZippedFile[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, bytes } of files) {
    const deflated = deflateRawSync(bytes, { level: 9 })
    const common = commonOf(name, bytes, deflated)
    const local = Buffer.concat([numbers([0x04034b50, 4]), common, numbers([0, 2]), Buffer.from(name), deflated])
    directory.push(
      numbers([0x02014b50, 4], [MADE_BY, 2]),
      common,
      numbers([0, 2], [0, 2], [0, 2], [0, 2], [MODE * 0x10000, 4], [offset, 4]),
      Buffer.from(name),
    )
    parts.push(local)
    offset += local.length
  }
  const central = Buffer.concat(directory)
  const count = files.length
  const end = numbers([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [central.length, 4], [offset, 4], [0, 2])
  return Buffer.concat([...parts, central, end])
}

/** What stands both before a file and in the directory: version, flags, method, time, date, checksum, sizes, length of the name. */
function commonOf(name: string, bytes: Buffer, deflated: Buffer): Buffer {
  return numbers(
    [VERSION, 2],
    [0, 2],
    [DEFLATED, 2],
    [0, 2],
    [DATE, 2],
    [crc32(bytes), 4],
    [deflated.length, 4],
    [bytes.length, 4],
    [Buffer.byteLength(name), 2],
  )
}

function numbers(...all: readonly (readonly [value: number, bytes: 2 | 4])[]): Buffer {
  return Buffer.concat(
    all.map(([value, size]) => {
      const bytes = Buffer.alloc(size)
      bytes.writeUIntLE(value, 0, size)
      return bytes
    }),
  )
}
