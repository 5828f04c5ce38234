import { clearKeysOf, hex, ivNotes, keyUrisOf, type Output, psshBoxesOf, schemeOf } from './output.ts'

/** The labels that Shaka Packager gives a stream without drm_label, of those that a track type covers. */
const AUTOMATIC_LABELS: Readonly<Record<string, readonly string[]>> = {
  ALL: [''],
  VIDEO: ['SD', 'HD', 'UHD1', 'UHD2'],
  SD: ['SD'],
  HD: ['HD'],
  UHD: ['UHD1', 'UHD2'],
  UHD1: ['UHD1'],
  UHD2: ['UHD2'],
  AUDIO: ['AUDIO'],
}

/**
 * Flags of Shaka Packager, one a line: a file for its `--flagfile`, which keeps keys out of the list of processes.
 *
 * @see https://shaka-project.github.io/shaka-packager/html/documentation.html, raw key encryption options
 */
export const shaka: Output = {
  name: 'shaka',
  title: 'flags of Shaka Packager, for --flagfile',
  holdsKeys: () => true,
  render(answer) {
    const keys = clearKeysOf(answer, 'shaka')
    const entries = keys.flatMap(({ track, kidHex, keyHex, ivHex }) =>
      (AUTOMATIC_LABELS[track] ?? [track]).map((label) =>
        [`label=${label}`, `key_id=${kidHex}`, `key=${keyHex}`, ...(ivHex === undefined ? [] : [`iv=${ivHex}`])].join(
          ':',
        ),
      ),
    )
    const pssh = psshBoxesOf(answer).map(hex).join('')
    const uris = keyUrisOf(answer, ['fairplay', 'sample-aes', 'aes-128'])
    const args = [
      '--enable_raw_key_encryption',
      `--keys=${entries.join(',')}`,
      `--protection_scheme=${schemeOf(answer)}`,
      ...(pssh === '' ? [] : [`--pssh=${pssh}`]),
      ...(uris.length === 1 ? [`--hls_key_uri=${uris[0]}`] : []),
    ]
    const named = keys.flatMap(({ track }) => (Object.hasOwn(AUTOMATIC_LABELS, track) ? [] : [track]))
    const notes = [
      ...ivNotes(answer),
      ...(named.length === 0 ? [] : [`give the streams of ${named.join(', ')} that name as drm_label`]),
      ...(uris.length > 1 ? ['each key has a URI of its own, and --hls_key_uri takes one: it is left out'] : []),
    ]
    return { text: args.map((arg) => `${arg}\n`).join(''), args, notes }
  },
}
