import { pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import { readTable } from './csv.ts'
import { type ImportDraft, type ImportFormat, MAX_IMPORTED_KEYS } from './draft.ts'
import { objectsIn, readJson, stringsOf } from './json.ts'

/**
 * Contents of the SPEKE reference server: their secrets from its secret store, and the kids that encryptors requested. JSON: an
 * array, or `{ "contents": [...] }`, of `contentId`, `secret`, `kids` and optionally `class`. CSV:
 * `contentId,secret,kid[,class]`.
 */
export const referenceServerImport: ImportFormat = {
  name: 'reference-server',
  async read({ bytes }, draft) {
    const rows = isJson(bytes) ? readContents(bytes, draft) : readRows(bytes, draft)
    // Each key takes two milliseconds off the main thread, so the limit is checked first.
    if (rows.length > MAX_IMPORTED_KEYS) return draft.problem('the file', `expected at most ${MAX_IMPORTED_KEYS} kids`)
    for (let i = 0; i < rows.length; i += AT_ONCE) {
      const some = rows.slice(i, i + AT_ONCE)
      const keys = await Promise.all(some.map(({ secret, kid }) => deriveReferenceServerKey(secret, kid)))
      for (const [j, { secret, placeOf, ...row }] of some.entries()) draft.add({ ...row, key: keys[j] }, placeOf)
    }
  },
}

/** The number of threads in the thread pool; more would only wait in memory. */
const AT_ONCE = 4

interface Row {
  readonly contentId: string | undefined
  readonly secret: string
  /** In the spelling of the encryptor: the key depends on it. */
  readonly kid: string
  readonly class: string | undefined
  readonly placeOf: (field: string) => string
}

function readContents(bytes: Uint8Array, draft: ImportDraft): readonly Row[] {
  const parsed = readJson(bytes, draft)
  if (parsed === undefined) return []
  return Array.from(objectsIn(parsed.value, 'contents', draft)).flatMap(({ members, path }) => {
    const {
      contentId,
      secret,
      class: keyClass,
    } = stringsOf(members, path, ['contentId', 'secret', 'class'], draft, ['kids'])
    if (!secret) draft.problem(`${path}.secret`, 'expected the secret of the content')
    const kids = kidsOf(members, path, draft)
    if (!secret) return []
    return kids.map((kid, i): Row => {
      const placeOf = (field: string): string => (field === 'kid' ? `${path}.kids[${i}]` : `${path}.${field}`)
      return { contentId, secret, kid, class: keyClass, placeOf }
    })
  })
}

function readRows(bytes: Uint8Array, draft: ImportDraft): readonly Row[] {
  const rows: Row[] = []
  readTable(bytes, ['contentId', 'secret', 'kid'], ['class'], draft, (row, placeOf) => {
    if (!row.secret) draft.problem(placeOf('secret'), 'expected the secret of the content')
    else rows.push({ contentId: row.contentId, secret: row.secret, kid: row.kid ?? '', class: row.class, placeOf })
  })
  return rows
}

/** The kids of a content, in their spelling. */
export function kidsOf(
  members: Readonly<Record<string, unknown>>,
  path: string,
  draft: ImportDraft,
): readonly string[] {
  const { kids } = members
  if (Array.isArray(kids) && kids.length > 0 && kids.every((kid) => typeof kid === 'string')) return kids
  draft.problem(`${path}.kids`, 'expected an array of kids')
  return []
}

/** Whether the text starts like JSON and not like a header row. */
function isJson(bytes: Uint8Array): boolean {
  const start = new TextDecoder().decode(bytes.subarray(0, 1024)).trimStart()
  return start.startsWith('[') || start.startsWith('{')
}

/**
 * The content key of the SPEKE reference server for a kid of a content with this secret: PBKDF2-HMAC-SHA256 with 5000 rounds. The
 * kid is the password and the secret is the salt. Both are text, so the key depends on the encryptor's spelling of the kid.
 * @see https://github.com/awslabs/speke-reference-server, src/key_generator.py
 */
export function deriveReferenceServerKey(secret: string, kidText: string): Promise<Buffer> {
  return derive(kidText, secret, ITERATIONS, KEY_BYTES, 'sha256')
}

const ITERATIONS = 5000

const KEY_BYTES = 16

const derive = promisify(pbkdf2)
