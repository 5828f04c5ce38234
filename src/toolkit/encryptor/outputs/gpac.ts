import { wrongUsage } from '../../../core/errors.ts'
import type { PsshBox } from '../../../formats/drm/payloads/pssh.ts'
import { type Markup, writeMarkup } from '../../../formats/xml/markup.ts'
import { boxesOfFile } from './boxes.ts'
import {
  type ClearKey,
  clearKeysOf,
  ivNotes,
  type Output,
  ofTrack,
  omittedBoxes,
  schemeOf,
  trackIdsOf,
  trackNote,
} from './output.ts'

/** The DRM file of GPAC's MP4Box and cecrypt, with one box per DRM system. @see https://wiki.gpac.io/xmlformats/Common-Encryption/ */
export const gpac: Output = {
  name: 'gpac',
  title: 'the DRM file of MP4Box -crypt',
  holdsKeys: () => true,
  render(whole, options) {
    const answer = ofTrack(whole, options)
    const keys = clearKeysOf(answer, 'gpac')
    const scheme = schemeOf(answer)
    const ids = trackIdsOf(keys, options)
    const tracks = keys.flatMap((key, i) =>
      (ids[i] ?? []).map((id, n) => crypTrack(key, id, scheme, isAudio(key.track, n))),
    )
    const { boxes, apart } = boxesOfFile(answer)
    const root: Markup = {
      name: 'GPACDRM',
      attributes: [['type', scheme]],
      children: [...boxes.map(drmInfo), ...tracks],
    }
    return {
      text: `<?xml version="1.0" encoding="UTF-8"?>\n${writeMarkup(root)}`,
      notes: [...ivNotes(answer), trackNote(keys, ids), ...omittedBoxes(apart)],
    }
  },
}

/** The fields of a box: system ID, the kids of version 1, data. */
function drmInfo({ systemId, kids, data }: PsshBox): Markup {
  const version1 = [
    bits([
      ['bits', '32'],
      ['value', String(kids.length)],
    ]),
    ...kids.map((kid) => bits([['ID128', kid.replaceAll('-', '')]])),
  ]
  return {
    name: 'DRMInfo',
    attributes: [
      ['type', 'pssh'],
      ['version', kids.length === 0 ? '0' : '1'],
    ],
    children: [
      bits([['ID128', systemId.replaceAll('-', '')]]),
      ...(kids.length === 0 ? [] : version1),
      ...(data.length === 0 ? [] : [bits([['data64', Buffer.from(data).toString('base64')]])]),
    ],
  }
}

function bits(attributes: Markup['attributes'] & object): Markup {
  return { name: 'BS', attributes }
}

/** A key for all tracks has the video track first. */
function isAudio(track: string, n: number): boolean {
  return track === 'ALL' ? n > 0 : track.includes('AUDIO')
}

function crypTrack({ kidHex, keyHex, ivHex }: ClearKey, id: number, scheme: string, audio: boolean): Markup {
  return {
    name: 'CrypTrack',
    attributes: [
      ['trackID', String(id)],
      ['IsEncrypted', '1'],
      ...ivAttributes(scheme, ivHex, audio),
      ['saiSavedBox', 'senc'],
    ],
    children: [
      {
        name: 'key',
        attributes: [
          ['KID', `0x${kidHex}`],
          ['value', `0x${keyHex}`],
        ],
      },
    ],
  }
}

/**
 * cbcs has one constant IV for all samples, and for video the pattern of 1 encrypted block in 10. IV_size is omitted: before
 * GPAC 2.2 it is the size of an IV per sample, since then that of the constant IV, where 0 is an error.
 * @see ISO/IEC 23001-7, 10.4
 */
function ivAttributes(
  scheme: string,
  ivHex: string | undefined,
  audio: boolean,
): readonly (readonly [string, string])[] {
  if (scheme !== 'cbcs') {
    const size = scheme === 'cbc1' ? '16' : '8'
    return [['IV_size', size], ...(ivHex === undefined ? [] : [['first_IV', `0x${ivHex}`] as const])]
  }
  if (ivHex === undefined) throw wrongUsage('cbcs requires an IV, and the answer has none: use --iv new')
  const pattern = audio
    ? []
    : ([
        ['crypt_byte_block', '1'],
        ['skip_byte_block', '9'],
      ] as const)
  return [['constant_IV_size', '16'], ['constant_IV', `0x${ivHex}`], ...pattern]
}
