import { type ByteReader, toHex } from '../byte-reader.ts'
import type { InspectNode } from '../node.ts'
import { readFlags } from '../pssh.ts'
/** What boxes are that are not read: those that come before, after and between the boxes of protection. */
export const PLAIN_BOXES: readonly (readonly [type: string, meaning: string])[] = [
  ['free', 'nothing'],
  ['skip', 'nothing'],
  ['mvhd', 'length and time scale'],
  ['mdhd', 'time scale and language'],
  ['sidx', 'where segments begin'],
  ['dinf', 'where the media is'],
  ['edts', 'edits of the time line'],
  ['udta', 'whatever the author likes'],
  ['meta', 'metadata'],
  ['emsg', 'an event'],
  ['prft', 'the time of the producer'],
  ['stts', 'times of samples'],
  ['ctts', 'order of pictures'],
  ['stsc', 'chunks of samples'],
  ['stsz', 'sizes of samples'],
  ['stco', 'offsets of chunks'],
  ['co64', 'offsets of chunks'],
  ['stss', 'key frames'],
  ['sdtp', 'which samples need others'],
  ['vmhd', 'video'],
  ['smhd', 'audio'],
  ['nmhd', 'neither picture nor sound'],
  ['mehd', 'length of all fragments'],
  ['trex', 'defaults of fragments'],
  ['tfdt', 'time of the fragment'],
  ['trun', 'samples of the fragment'],
  ['avc1', 'H.264, not encrypted'],
  ['avc3', 'H.264, not encrypted'],
  ['hvc1', 'HEVC, not encrypted'],
  ['hev1', 'HEVC, not encrypted'],
  ['av01', 'AV1, not encrypted'],
  ['vp09', 'VP9, not encrypted'],
  ['mp4a', 'AAC, not encrypted'],
  ['ac-3', 'AC-3, not encrypted'],
  ['ec-3', 'E-AC-3, not encrypted'],
  ['Opus', 'Opus, not encrypted'],
  ['fLaC', 'FLAC, not encrypted'],
  ['wvtt', 'WebVTT, not encrypted'],
  ['stpp', 'TTML, not encrypted'],
  ['avcC', 'set-up of H.264'],
  ['hvcC', 'set-up of HEVC'],
  ['av1C', 'set-up of AV1'],
  ['vpcC', 'set-up of VP9'],
  ['esds', 'set-up of AAC'],
  ['dac3', 'set-up of AC-3'],
  ['dec3', 'set-up of E-AC-3'],
  ['dOps', 'set-up of Opus'],
  ['dfLa', 'set-up of FLAC'],
  ['pasp', 'shape of a pixel'],
  ['colr', 'colours'],
  ['btrt', 'bit rates'],
  ['iods', 'object descriptor'],
  ['mfra', 'index of fragments'],
]

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
