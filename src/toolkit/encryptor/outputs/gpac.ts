import { decodePsshBoxes, type PsshBox } from '../../../formats/drm/payloads/pssh.ts'
import { type Markup, writeMarkup } from '../../../formats/xml/markup.ts'
import { type ClearKey, clearKeysOf, ivNotes, type Output, psshBoxesOf, schemeOf, trackIdsOf, wrong } from './output.ts'

/** The DRM file of GPAC's MP4Box and cecrypt. @see https://wiki.gpac.io/xmlformats/Common-Encryption/ */
export const gpac: Output = {
  name: 'gpac',
  title: 'the DRM file of MP4Box -crypt',
  holdsKeys: () => true,
  render(answer, options) {
    const keys = clearKeysOf(answer, 'gpac')
    const scheme = schemeOf(answer)
    const ids = trackIdsOf(keys, options)
    const tracks = keys.flatMap((key, i) => (ids[i] ?? []).map((id) => crypTrack(key, id, scheme)))
    const boxes = psshBoxesOf(answer).flatMap(decodePsshBoxes)
    const root = {
      name: 'GPACDRM',
      attributes: [['type', scheme]],
      children: [...boxes.map(drmInfo), ...tracks],
    } as const
    return {
      text: `<?xml version="1.0" encoding="UTF-8"?>\n${writeMarkup(root)}`,
      notes: [
        ...ivNotes(answer),
        `track ids: ${keys.map(({ track }, i) => `${track} is ${ids[i]?.join(' and ')}`).join(', ')}; --track-id TRACK=N changes them`,
      ],
    }
  },
}

/** What the box holds, field by field: system id, kids of version 1, data. */
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

function crypTrack({ kidHex, keyHex, ivHex, track }: ClearKey, id: number, scheme: string): Markup {
  return {
    name: 'CrypTrack',
    attributes: [
      ['trackID', String(id)],
      ['IsEncrypted', '1'],
      ...ivAttributes(scheme, ivHex, track),
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

/** By cbcs one IV for every sample, and video 1 block in 10. @see ISO/IEC 23001-7, 10.4 */
function ivAttributes(
  scheme: string,
  ivHex: string | undefined,
  track: string,
): readonly (readonly [string, string])[] {
  if (scheme !== 'cbcs') {
    const size = scheme === 'cbc1' ? '16' : '8'
    return [['IV_size', size], ...(ivHex === undefined ? [] : [['first_IV', `0x${ivHex}`] as const])]
  }
  if (ivHex === undefined) throw wrong('cbcs has one IV for all, and the answer has none: ask with --iv new')
  const pattern = track.includes('AUDIO')
    ? []
    : ([
        ['crypt_byte_block', '1'],
        ['skip_byte_block', '9'],
      ] as const)
  return [['IV_size', '0'], ['constant_IV_size', '16'], ['constant_IV', `0x${ivHex}`], ...pattern]
}
