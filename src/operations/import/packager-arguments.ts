import { type ImportDraft, type ImportFormat, MAX_IMPORTED_KEYS, readText } from './draft.ts'

/**
 * The key arguments of Shaka Packager: `--keys label=SD:key_id=KID:key=KEY[:iv=IV],label=…`, as on a command line or in a flag
 * file, or the value of `--keys` alone. The import names the content.
 * @see https://shaka-project.github.io/shaka-packager/html/documentation.html, raw key encryption options
 */
export const shakaImport: ImportFormat = {
  name: 'shaka-packager',
  read({ bytes, contentId }, draft) {
    const words = readWords(bytes, draft)
    const lists = valuesOf(words, 'keys')
    const values = lists.length > 0 ? lists : words.filter((word) => /(^|:)key_id=/.test(word))
    const keys = values.flatMap((value) => value.split(',').filter((part) => part !== ''))
    if (keys.length === 0) draft.problem('the file', 'expected --keys label=LABEL:key_id=KID:key=KEY')
    for (const [i, text] of keys.slice(0, MAX_IMPORTED_KEYS + 1).entries()) {
      const place = `--keys[${i}]`
      const fields = new Map(text.split(':').map((part): [string, string] => splitAt(part, '=')))
      // Other names are not quoted: they can be a key in the wrong place.
      if ([...fields.keys()].some((name) => !['label', 'key_id', 'key', 'iv'].includes(name)))
        draft.problem(place, 'expected only label, key_id, key and iv')
      const iv = fields.get('iv')
      draft.add(
        { contentId, kid: fields.get('key_id'), key: fields.get('key'), iv: isPackagerIv(iv) ? undefined : iv },
        (field) => `${place}/${{ contentId: 'label', kid: 'key_id', key: 'key', iv: 'iv', class: 'label' }[field]}`,
      )
    }
  },
}

/**
 * The key arguments of Bento4: `--encryption-key KID:KEY[:IV]` of mp4dash and mp4hls, `--key KID:KEY` of mp4decrypt, and
 * `--key TRACK:KEY:IV` with `--property TRACK:KID:KID` of mp4encrypt. The import names the content.
 * @see https://www.bento4.com/documentation/mp4dash/, https://www.bento4.com/documentation/mp4encrypt/
 */
export const bento4Import: ImportFormat = {
  name: 'bento4',
  read({ bytes, contentId }, draft) {
    const words = readWords(bytes, draft)
    const kidOfTrack = new Map(
      valuesOf(words, 'property').flatMap((value) => {
        const [track = '', name, kid = ''] = value.split(':')
        return name === 'KID' ? [[track, kid] as const] : []
      }),
    )
    const keys = [...valuesOf(words, 'encryption-key'), ...valuesOf(words, 'key')].flatMap((value) => value.split(','))
    if (keys.length === 0) draft.problem('the file', 'expected --encryption-key KID:KEY, or --key KID:KEY')
    for (const [i, text] of keys.slice(0, MAX_IMPORTED_KEYS + 1).entries()) {
      const place = `key[${i}]`
      const [name = '', key = '', iv = ''] = text.split(':')
      const isTrack = /^\d{1,9}$/.test(name)
      if (isTrack && !kidOfTrack.has(name)) {
        draft.problem(place, `track ${name} has no kid; add --property ${name}:KID:<kid>`)
        continue
      }
      // `random` and an 8-byte IV are for the packager: Keyspring derives the IV of such a key.
      const isIv = /^[0-9a-f]{32}$/i.test(iv)
      draft.add(
        { contentId, kid: isTrack ? kidOfTrack.get(name) : name, key, ...(isIv && { iv }) },
        (field) => `${place}/${field}`,
      )
    }
  },
}

/** Whether an IV has the 8 bytes of cenc, which each sample counts up. Keyspring derives the IV of such a key. */
function isPackagerIv(iv: string | undefined): boolean {
  return iv !== undefined && /^(?:0x)?[0-9a-f]{16}$/i.test(iv)
}

/** The words of a command line or a flag file. Removes quotes, line continuations, and lines that start with `#`. */
function readWords(bytes: Uint8Array, draft: ImportDraft): readonly string[] {
  const text = readText(bytes, draft) ?? ''
  const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('#'))
  const words = lines.join(' ').match(/[^\s"']+(?:["'][^"']*["'])?|["'][^"']*["']/g) ?? []
  return words.map((word) => word.replaceAll(/["']/g, '')).filter((word) => word !== '\\')
}

/** The values of an option: `--name value`, `--name=value`, or with one dash. */
function valuesOf(words: readonly string[], name: string): readonly string[] {
  return words.flatMap((word, i) => {
    const [option, value] = splitAt(word, '=')
    if (option !== `--${name}` && option !== `-${name}`) return []
    return word.includes('=') ? [value] : [words[i + 1] ?? '']
  })
}

function splitAt(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)]
}
