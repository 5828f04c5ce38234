import type { ByteReader } from '../byte-reader.ts'
import { type Context, error, type InspectFinding, note, warning } from '../node.ts'
import { readKid } from '../pssh.ts'
import { fullBox, readFourCc } from './plain-boxes.ts'

/** What one box says about the boxes after it. */
export interface BoxState {
  readonly context: Context
  /** How many bytes of IV each sample has, as `tenc` says. */
  ivSize: number | undefined
}

const SCHEMES: ReadonlyMap<string, string> = new Map([
  ['cenc', 'AES-CTR, whole of the slice data; what Widevine and PlayReady have always read'],
  ['cens', 'AES-CTR with a pattern; hardly any player reads it'],
  ['cbc1', 'AES-CBC; hardly any player reads it'],
  ['cbcs', 'AES-CBC with a pattern and a constant IV; FairPlay reads nothing else'],
  ['piff', 'PIFF 1.1, the forerunner of cenc'],
])

/** `schm`. @see ISO/IEC 14496-12, 8.12.5 */
export function readScheme(reader: ByteReader): readonly InspectFinding[] {
  const { flags } = fullBox(reader)
  readFourCc(reader, 'scheme_type', (scheme) => {
    const meaning = SCHEMES.get(scheme)
    return meaning === undefined ? { findings: [warning('is none of cenc, cens, cbc1, cbcs')] } : { meaning }
  })
  reader.number('scheme_version', 4, { explain: (value) => ({ value: `0x${value.toString(16).padStart(8, '0')}` }) })
  if (flags % 2 === 1) reader.bytes('scheme_uri', reader.left)
  return []
}

/** `tenc`. @see ISO/IEC 23001-7, 8.2 */
export function readTrackEncryption(reader: ByteReader, state: BoxState): readonly InspectFinding[] {
  const { version } = fullBox(reader)
  reader.skip(1, 'reserved')
  if (version === 0) reader.skip(1, 'reserved')
  else readPattern(reader, 'default_')
  state.ivSize = readEncryption(reader, 'default_')
  return []
}

function readPattern(reader: ByteReader, prefix: string): void {
  reader.number(`${prefix}pattern`, 1, {
    explain: (value) => ({
      value: `${value >> 4}:${value & 15}`,
      meaning: 'blocks encrypted : blocks left clear; 0:0 is no pattern',
    }),
  })
}

/** What `tenc` and the groups of `seig` have in common: the size of IVs. */
function readEncryption(reader: ByteReader, prefix: string): number {
  const isProtected = reader.number(`${prefix}isProtected`, 1, {
    explain: (value) => (value > 1 ? { findings: [error('expected 0 or 1')] } : {}),
  })
  const ivSize = reader.number(`${prefix}Per_Sample_IV_Size`, 1, {
    explain: (value) =>
      IV_SIZES.includes(value)
        ? { meaning: value === 0 ? 'one constant IV instead' : 'bytes' }
        : { findings: [error('expected 0, 8 or 16')] },
  })
  readKid(reader, `${prefix}KID`)
  if (isProtected === 1 && ivSize === 0) {
    const size = reader.number(`${prefix}constant_IV_size`, 1)
    reader.bytes(`${prefix}constant_IV`, size)
  }
  return ivSize
}

const IV_SIZES: readonly number[] = [0, 8, 16]
const SHOWN_SAMPLES = 3

/** `senc`. @see ISO/IEC 23001-7, 7.2 */
export function readSampleEncryption(reader: ByteReader, { ivSize }: BoxState): readonly InspectFinding[] {
  const { flags } = fullBox(reader)
  if (flags % 2 === 1) {
    reader.number('AlgorithmID', 3)
    ivSize = reader.number('IV_size', 1)
    readKid(reader, 'KID')
  }
  const hasSubsamples = (flags & 2) !== 0
  const count = reader.number('sample_count', 4, {
    explain: () => ({ meaning: hasSubsamples ? 'with subsamples' : 'samples are encrypted whole' }),
  })
  if (ivSize === undefined) {
    reader.skip(reader.left, 'samples')
    return [note('tenc has the length of an IV; it is in the init segment')]
  }
  for (let i = 0; i < Math.min(count, SHOWN_SAMPLES); i++) {
    if (ivSize > 0) reader.bytes(`IV of sample ${i + 1}`, ivSize)
    if (hasSubsamples) reader.skip(6 * Buffer.from(reader.skip(2, 'subsample_count')).readUInt16BE(), 'subsamples')
  }
  reader.skip(reader.left, 'further samples')
  return count > SHOWN_SAMPLES ? [note(`the first ${SHOWN_SAMPLES} of ${count} samples are shown`)] : []
}

/** `sgpd`. @see ISO/IEC 14496-12, 8.9.3; ISO/IEC 23001-7, 6 (seig) */
export function readGroups(reader: ByteReader): readonly InspectFinding[] {
  const { version } = fullBox(reader)
  const type = readFourCc(reader, 'grouping_type', (value) => ({
    meaning: value === 'seig' ? 'keys of samples: how keys rotate' : 'not about keys',
  }))
  const length = version === 1 ? reader.number('default_length', 4) : 0
  if (version > 1) reader.number('default_sample_description_index', 4)
  const count = reader.number('entry_count', 4)
  if (type !== 'seig') {
    reader.skip(reader.left, 'entries')
    return []
  }
  for (let i = 0; i < count && reader.left > 0; i++) {
    if (version === 1 && length === 0) reader.number('description_length', 4)
    reader.skip(1, 'reserved')
    readPattern(reader, '')
    readEncryption(reader, '')
  }
  return []
}
