import { KeyProviderError } from '../../../core/errors.ts'
import { concat, type Filling, type Template } from '../../../core/template.ts'
import { type Kid, kidOfBytes, type SystemId, systemIdOf, uuidBytes } from '../../cenc.ts'

/** The content of a `pssh` box: version 1 with kids, version 0 without. @see ISO/IEC 23001-7, 8.1 */
export interface PsshBox {
  readonly systemId: SystemId
  readonly kids: readonly Kid[]
  readonly data: Uint8Array
}

/** The bytes of `box`. */
export function encodePssh({ systemId, kids, data }: PsshBox): Uint8Array {
  return new Uint8Array(Buffer.concat([psshHeader(systemId, kids, data.length), data]))
}

/** The bytes of a box whose `data` (one character a byte) has holes. */
export function psshTemplate<F extends Filling>(box: {
  readonly systemId: SystemId
  readonly kids: readonly Kid[]
  readonly data: Template<F>
}): Template<F> {
  return concat(psshHeader(box.systemId, box.kids, box.data.text.length).toString('latin1'), box.data)
}

/** The box in `bytes`. Throws ERR_PSSH_INVALID for anything else, also for one byte more or less. */
export function decodePssh(bytes: Uint8Array): PsshBox {
  const { box, end } = readBox(bufferOf(bytes), 0)
  if (end !== bytes.length) throw invalid(`expected one box of ${end} bytes, got ${bytes.length} bytes`)
  return box
}

/** The boxes in `bytes`, one after the other, at least one. Throws ERR_PSSH_INVALID. */
export function decodePsshBoxes(bytes: Uint8Array): readonly PsshBox[] {
  const boxes: PsshBox[] = []
  let at = 0
  do {
    const { box, end } = readBox(bufferOf(bytes), at)
    boxes.push(box)
    at = end
  } while (at < bytes.length)
  return boxes
}

/** size, type, version and flags, SystemID: the start of every box. */
const START = 4 + 4 + 4 + 16
const PSSH = 0x70737368
const KID_SIZE = 16

function psshHeader(systemId: SystemId, kids: readonly Kid[], dataSize: number): Buffer {
  const kidList = kids.length === 0 ? 0 : 4 + KID_SIZE * kids.length
  const header = Buffer.alloc(START + kidList + 4)
  header.writeUInt32BE(header.length + dataSize, 0)
  header.writeUInt32BE(PSSH, 4)
  header.writeUInt8(kids.length === 0 ? 0 : 1, 8)
  uuidBytes(systemId).copy(header, 12)
  if (kids.length > 0) {
    header.writeUInt32BE(kids.length, START)
    kids.forEach((kid, index) => {
      uuidBytes(kid).copy(header, START + 4 + KID_SIZE * index)
    })
  }
  header.writeUInt32BE(dataSize, header.length - 4)
  return header
}

function readBox(bytes: Buffer, at: number): { box: PsshBox; end: number } {
  if (bytes.length - at < START + 4) throw invalid(`at byte ${at}: too short for a box`)
  const size = bytes.readUInt32BE(at)
  // Sizes 0 (to the end) and 1 (64-bit) are legal in ISO BMFF; no pssh box has use for them.
  if (size < START + 4 || size > bytes.length - at) throw invalid(`at byte ${at}: box size ${size} does not fit`)
  if (bytes.readUInt32BE(at + 4) !== PSSH) throw invalid(`at byte ${at}: not a pssh box`)
  const version = bytes.readUInt8(at + 8)
  if (version > 1) throw invalid(`at byte ${at}: box version ${version}, expected 0 or 1`)
  if (bytes.readUIntBE(at + 9, 3) !== 0) throw invalid(`at byte ${at}: flags are not 0`)

  const end = at + size
  const kids: Kid[] = []
  let dataSizeAt = at + START
  if (version === 1) {
    const count = bytes.readUInt32BE(dataSizeAt)
    dataSizeAt += 4 + KID_SIZE * count
    if (dataSizeAt + 4 > end) throw invalid(`at byte ${at}: ${count} kids do not fit into the box`)
    for (let kidAt = at + START + 4; kidAt < dataSizeAt; kidAt += KID_SIZE) {
      kids.push(kidOfBytes(bytes.subarray(kidAt, kidAt + KID_SIZE)))
    }
  }
  const dataSize = bytes.readUInt32BE(dataSizeAt)
  if (dataSizeAt + 4 + dataSize !== end) throw invalid(`at byte ${at}: data size ${dataSize} does not fill the box`)
  const systemId = systemIdOf(kidOfBytes(bytes.subarray(at + 12, at + START)))
  return { box: { systemId, kids, data: new Uint8Array(bytes.subarray(dataSizeAt + 4, end)) }, end }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_PSSH_INVALID', `pssh: ${problem}`)
}
