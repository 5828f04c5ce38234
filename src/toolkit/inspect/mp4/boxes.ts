import { kidOfBytes } from '../../../formats/cenc.ts'
import type { ByteReader } from '../byte-reader.ts'
import type { InspectFinding } from '../node.ts'
import { explainPsshData, readKid, readPssh, readSystemId } from '../pssh.ts'
import { fullBox, PLAIN_BOXES, readFourCc } from './plain-boxes.ts'
import { type BoxState, readGroups, readSampleEncryption, readScheme, readTrackEncryption } from './protection.ts'

/** How a box is read. Its findings are about the box as a whole. */
interface Box {
  /** What to call it, where its type says too little. */
  readonly name?: string
  readonly meaning: string
  readonly read?: (reader: ByteReader, state: BoxState) => readonly InspectFinding[]
}

interface Container {
  readonly meaning: string
  /** Reads the fields before the boxes in it. */
  readonly head?: (reader: ByteReader) => void
}

/** A sample entry, whose fields of picture or sound are passed over. @see ISO/IEC 14496-12, 12.1.3, 12.2.3 */
function sampleEntry(meaning: string, size: number): Container {
  return { meaning, head: (reader) => void reader.skip(size, 'the sample entry') }
}

/** Sound has 16 or 36 more bytes in QuickTime's versions 1 and 2. */
function soundEntry(reader: ByteReader): void {
  const start = reader.skip(28, 'the sample entry')
  const more = [0, 16, 36][Buffer.from(start).readUInt16BE(8)] ?? 0
  reader.skip(more, 'the sample entry')
}

/** Boxes that hold boxes. */
export const CONTAINERS: ReadonlyMap<string, Container> = new Map<string, Container>([
  ['moov', { meaning: 'what the file holds' }],
  ['moof', { meaning: 'a fragment' }],
  ['trak', { meaning: 'a track' }],
  ['mdia', { meaning: 'media of the track' }],
  ['minf', { meaning: 'about the media' }],
  ['stbl', { meaning: 'tables of samples' }],
  ['traf', { meaning: 'a track in a fragment' }],
  ['mvex', { meaning: 'there are fragments' }],
  ['sinf', { meaning: 'protection of the sample entry' }],
  ['schi', { meaning: 'what the scheme needs' }],
  [
    'stsd',
    {
      meaning: 'formats of the samples',
      head: (reader) => {
        fullBox(reader)
        reader.number('entry_count', 4)
      },
    },
  ],
  ['encv', sampleEntry('encrypted video', 78)],
  ['enca', { meaning: 'encrypted audio', head: soundEntry }],
  ['enct', sampleEntry('encrypted text', 8)],
  ['encs', sampleEntry('encrypted, neither picture nor sound', 8)],
  ['encm', sampleEntry('encrypted metadata', 8)],
])

/** Boxes that are read, and what the others are. */
export const BOXES: ReadonlyMap<string, Box> = new Map<string, Box>([
  ...PLAIN_BOXES.map(([type, meaning]) => [type, { meaning }] as const),
  ['ftyp', { meaning: 'what kind of file it is', read: readBrands }],
  ['styp', { meaning: 'what kind of segment it is', read: readBrands }],
  ['tkhd', { meaning: 'the head of the track', read: readTrackHeader }],
  ['hdlr', { meaning: 'what the track holds', read: readHandler }],
  [
    'mfhd',
    {
      meaning: 'the head of the fragment',
      read: (reader) => {
        fullBox(reader)
        reader.number('sequence_number', 4)
        return []
      },
    },
  ],
  [
    'tfhd',
    {
      meaning: 'the head of the track in the fragment',
      read: (reader) => {
        fullBox(reader)
        reader.number('track_ID', 4)
        reader.skip(reader.left, 'defaults')
        return []
      },
    },
  ],
  [
    'frma',
    {
      meaning: 'the format before encryption',
      read: (reader) => {
        readFourCc(reader, 'data_format')
        return []
      },
    },
  ],
  ['schm', { meaning: 'the protection scheme', read: readScheme }],
  ['tenc', { meaning: 'which key the track has by default', read: readTrackEncryption }],
  ['senc', { meaning: 'IVs of the samples', read: readSampleEncryption }],
  ['sgpd', { meaning: 'groups of samples', read: readGroups }],
  ['sbgp', { meaning: 'which samples are in which group', read: readGrouping }],
  ['saiz', { meaning: 'sizes of the data of samples: their IVs' }],
  ['saio', { meaning: 'where that is' }],
  [
    'pssh',
    {
      meaning: 'what a DRM system needs to ask for a licence',
      read: (reader, { context }) => readPssh(reader, context),
    },
  ],
])

/** PIFF's boxes, the forerunners of tenc, senc and pssh. @see Protected Interoperable File Format, 5.3 */
const UUID_BOXES: ReadonlyMap<string, Box> = new Map<string, Box>([
  [
    '8974dbce-7be7-4c51-84f9-7148f9882554',
    {
      name: 'uuid (PIFF tenc)',
      meaning: 'which key the track has by default',
      read: (reader, state) => {
        fullBox(reader)
        reader.number('default_AlgorithmID', 3)
        state.ivSize = reader.number('default_IV_size', 1)
        readKid(reader, 'default_KID')
        return []
      },
    },
  ],
  [
    'a2394f52-5a9b-4f14-a244-6c427c648df4',
    { name: 'uuid (PIFF senc)', meaning: 'IVs of the samples', read: readSampleEncryption },
  ],
  [
    'd08a4f18-10f3-4a82-b6c8-32d8aba183d3',
    {
      name: 'uuid (PIFF pssh)',
      meaning: 'what a DRM system needs to ask for a licence',
      read: (reader, { context }) => {
        fullBox(reader)
        const systemId = readSystemId(reader)
        const size = reader.number('DataSize', 4)
        reader.bytes('Data', size, (bytes, offset) => explainPsshData(systemId, bytes, offset, context))
        return []
      },
    },
  ],
])

/** The box of a `uuid` box, which begins with what it is. */
export function readUuidBox(bytes: Uint8Array): Box {
  const known = bytes.length < 16 ? undefined : UUID_BOXES.get(kidOfBytes(bytes.subarray(0, 16)))
  return {
    name: known?.name ?? 'uuid',
    meaning: known?.meaning ?? 'a private box',
    read(reader, state) {
      reader.bytes('usertype', 16, (type) => ({ value: kidOfBytes(type) }))
      if (known?.read !== undefined) return known.read(reader, state)
      reader.skip(reader.left, 'content')
      return []
    },
  }
}

function readBrands(reader: ByteReader): readonly InspectFinding[] {
  readFourCc(reader, 'major_brand')
  reader.number('minor_version', 4)
  while (reader.left >= 4) readFourCc(reader, 'compatible_brand')
  return []
}

function readTrackHeader(reader: ByteReader): readonly InspectFinding[] {
  const { version } = fullBox(reader)
  reader.skip(version === 1 ? 16 : 8, 'times')
  reader.number('track_ID', 4)
  reader.skip(reader.left, 'the rest')
  return []
}

function readHandler(reader: ByteReader): readonly InspectFinding[] {
  fullBox(reader)
  reader.skip(4, 'pre_defined')
  readFourCc(reader, 'handler_type', (type) => ({ meaning: HANDLERS.get(type) ?? 'another kind' }))
  reader.skip(reader.left, 'name')
  return []
}

const HANDLERS: ReadonlyMap<string, string> = new Map([
  ['vide', 'video'],
  ['soun', 'audio'],
  ['text', 'text'],
  ['subt', 'subtitles'],
  ['meta', 'metadata'],
])

function readGrouping(reader: ByteReader): readonly InspectFinding[] {
  const { version } = fullBox(reader)
  readFourCc(reader, 'grouping_type')
  if (version === 1) reader.number('grouping_type_parameter', 4)
  reader.number('entry_count', 4)
  reader.skip(reader.left, 'entries')
  return []
}
