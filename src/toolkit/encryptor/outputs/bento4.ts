import type { CommonEncryptionScheme } from '../../../formats/cenc.ts'
import { decodePsshBoxes } from '../../../formats/drm/payloads/pssh.ts'
import { clearKeysOf, ivNotes, type Output, psshBoxesOf, schemeOf, trackIdsOf } from './output.ts'

const METHODS: Readonly<Record<CommonEncryptionScheme, string>> = {
  cenc: 'MPEG-CENC',
  cens: 'MPEG-CENS',
  cbc1: 'MPEG-CBC1',
  cbcs: 'MPEG-CBCS',
}

/** Options of Bento4's mp4encrypt, one a line. @see https://www.bento4.com/documentation/mp4encrypt */
export const bento4: Output = {
  name: 'bento4',
  title: 'options of mp4encrypt',
  holdsKeys: () => true,
  render(answer, options) {
    const keys = clearKeysOf(answer, 'bento4')
    const ids = trackIdsOf(keys, options)
    const args = ['--method', METHODS[schemeOf(answer)]]
    keys.forEach(({ keyHex, ivHex, kidHex }, i) => {
      for (const id of ids[i] ?? []) {
        args.push('--key', `${id}:${keyHex}:${ivHex ?? 'random'}`, '--property', `${id}:KID:${kidHex}`)
      }
    })
    const { fileBeside } = options
    // mp4encrypt makes the boxes itself, version 0, around the data it is given.
    const boxes = psshBoxesOf(answer)
      .flatMap(decodePsshBoxes)
      .filter(({ data }) => data.length > 0)
    const files =
      fileBeside === undefined
        ? []
        : boxes.map(({ systemId, data }, i) => ({ systemId, path: fileBeside(`.pssh-${i + 1}`), bytes: data }))
    for (const { systemId, path } of files) args.push('--pssh', `${systemId.replaceAll('-', '')}:${path}`)
    const pairs = args.flatMap((arg, i) => (i % 2 === 0 ? [`${arg} ${args[i + 1]}\n`] : []))
    return {
      text: pairs.join(''),
      args,
      files,
      notes: [
        ...ivNotes(answer),
        `track ids: ${keys.map(({ track }, i) => `${track} is ${ids[i]?.join(' and ')}`).join(', ')}; --track-id TRACK=N changes them`,
        ...(boxes.length > 0 && fileBeside === undefined
          ? ['pssh boxes go into files: give --out FILE to have them']
          : []),
      ],
    }
  },
}
