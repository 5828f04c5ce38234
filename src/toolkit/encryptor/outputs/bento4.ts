import type { CommonEncryptionScheme } from '../../../formats/cenc.ts'
import { boxesOfFile } from './boxes.ts'
import { clearKeysOf, ivNotes, type Output, ofTrack, omittedBoxes, schemeOf, trackIdsOf, trackNote } from './output.ts'

const METHODS: Readonly<Record<CommonEncryptionScheme, string>> = {
  cenc: 'MPEG-CENC',
  cens: 'MPEG-CENS',
  cbc1: 'MPEG-CBC1',
  cbcs: 'MPEG-CBCS',
}

/**
 * Options of Bento4's mp4encrypt, one per line. It accepts one box per DRM system (`--pssh` with version 0, `--pssh-v1` with
 * the kids of the tracks), so the boxes of several keys are merged.
 *
 * @see https://www.bento4.com/documentation/mp4encrypt
 */
export const bento4: Output = {
  name: 'bento4',
  title: 'options of mp4encrypt',
  holdsKeys: () => true,
  render(whole, options) {
    const answer = ofTrack(whole, options)
    const keys = clearKeysOf(answer, 'bento4')
    const ids = trackIdsOf(keys, options)
    const args = ['--method', METHODS[schemeOf(answer)]]
    keys.forEach(({ keyHex, ivHex, kidHex }, i) => {
      for (const id of ids[i] ?? []) {
        args.push('--key', `${id}:${keyHex}:${ivHex ?? 'random'}`, '--property', `${id}:KID:${kidHex}`)
      }
    })
    const { fileBeside } = options
    const { boxes, apart } = boxesOfFile(answer)
    const files: { path: string; bytes: Uint8Array }[] = []
    // mp4encrypt writes the box header; --pssh-v1 must follow the --property options.
    for (const { systemId, kids, data } of boxes) {
      const option = kids.length > 0 ? '--pssh-v1' : '--pssh'
      const id = systemId.replaceAll('-', '')
      if (data.length === 0) args.push(option, `${id}:`)
      else if (fileBeside !== undefined) {
        const path = fileBeside(`.pssh-${files.length + 1}`)
        files.push({ path, bytes: data })
        args.push(option, `${id}:${path}`)
      }
    }
    const pairs = args.flatMap((arg, i) => (i % 2 === 0 ? [`${arg} ${args[i + 1]}\n`] : []))
    return {
      text: pairs.join(''),
      args,
      files,
      notes: [
        ...ivNotes(answer),
        trackNote(keys, ids),
        ...omittedBoxes(apart),
        ...(fileBeside === undefined && boxes.some(({ data }) => data.length > 0)
          ? ['mp4encrypt reads pssh data from files: set --out FILE to write them']
          : []),
      ],
    }
  },
}
