import { derivePlayReadyKey, KEY_SEED_BYTES } from '../../formats/drm/payloads/playready-key-seed.ts'
import { type ImportDraft, type ImportFormat, readKid } from './draft.ts'
import { isObject, objectsIn, readJson, stringsOf } from './json.ts'
import { kidsOf } from './reference-server.ts'

/** Keys of a PlayReady key seed: `{ "seed": …, "contents": [{ "contentId", "kids", "class"? }] }`. The seed is hex or base64. */
export const playreadySeedImport: ImportFormat = {
  name: 'playready-seed',
  read({ bytes }, draft) {
    const parsed = readJson(bytes, draft)
    if (parsed === undefined) return
    const seed = readSeed(parsed.value, draft)
    if (seed === undefined) return
    try {
      for (const { members, path } of objectsIn(parsed.value, 'contents', draft)) {
        const { contentId, class: keyClass } = stringsOf(members, path, ['contentId', 'class'], draft, ['kids'])
        for (const [i, text] of kidsOf(members, path, draft).entries()) {
          const kid = readKid(text)
          const placeOf = (field: string): string => (field === 'kid' ? `${path}.kids[${i}]` : `${path}.${field}`)
          const key = kid === undefined ? Buffer.alloc(16) : derivePlayReadyKey(seed, kid)
          draft.add({ contentId, kid: text, key, class: keyClass }, placeOf)
        }
      }
    } finally {
      seed.fill(0)
    }
  },
}

function readSeed(value: unknown, draft: ImportDraft): Buffer | undefined {
  const text = isObject(value) && typeof value.seed === 'string' ? value.seed : ''
  const isHex = /^(?:[0-9a-f]{2})+$/i.test(text)
  const seed = Buffer.from(text, isHex ? 'hex' : 'base64')
  const isClean = isHex || /^[A-Za-z0-9+/]+={0,2}$/.test(text)
  if (isClean && seed.length >= KEY_SEED_BYTES) return seed
  seed.fill(0)
  draft.problem('seed', `expected a key seed of at least ${KEY_SEED_BYTES} bytes, in hex or base64`)
  return undefined
}
