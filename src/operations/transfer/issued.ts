import type { Kid, SystemId } from '../../formats/cenc.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import { contentGone } from '../../keys/content/errors.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { SpekePolicy } from '../../protocols/speke/profile.ts'
import type { FindDrmSystem } from '../../protocols/speke/schemes.ts'
import { SPEKE_2_1 } from '../../protocols/speke/tables/versions.ts'
import { contentNotFound } from '../contents/contents.ts'
import { findKnownKeys, type IssuedKey } from '../contents/known-keys.ts'
import { writeIssuedDocument } from '../export/issued-document.ts'
import type { Management } from '../management.ts'

interface IssuedDocumentOptions {
  readonly policy: Pick<SpekePolicy, 'limits'>
  readonly findDrmSystem: FindDrmSystem
  readonly drmSystems: readonly DrmSystem[]
}

/** Makes the document of a content without a stored one: the newest issued periods, up to the limit of keys of a document. */
export async function issuedDocument(
  { store }: Pick<Management, 'store'>,
  { policy, findDrmSystem, drmSystems }: IssuedDocumentOptions,
  ref: ContentRef,
): Promise<string> {
  const { limits } = policy
  const { periods, keys } = await findKnownKeys(store, ref, limits.contentKeys)
  if (keys.length === 0) {
    const stored = await store.findContent(ref, [])
    throw stored?.tombstone === undefined ? contentNotFound(ref.contentId) : contentGone(ref)
  }
  const newest = oneClassEach(keys).slice(-limits.contentKeys)
  const used = new Set(newest.flatMap(({ periodIds }) => periodIds))
  let room = limits.drmSystems
  const systems = new Map(
    newest.map((key) => {
      const own = systemsFor(key, findDrmSystem, drmSystems).slice(0, room)
      room -= own.length
      return [key, own]
    }),
  )
  return writeIssuedDocument({
    contentId: ref.contentId,
    keys: newest,
    periods: periods.filter(({ periodId }) => used.has(periodId)),
    systemsOf: (key) => systems.get(key) ?? [],
    recipients: [],
  })
}

/** A document has a kid once: of a kid that was issued in both classes, it has the key with DRM. */
function oneClassEach(keys: readonly IssuedKey[]): readonly IssuedKey[] {
  const byKid = new Map<Kid, IssuedKey>()
  for (const key of keys) if (byKid.get(key.kid)?.contentKeyClass !== 'drm') byKid.set(key.kid, key)
  return [...byKid.values()]
}

/** The systems that a key was issued for; those of its class if no encryptor requested it. They decide the class of the key. */
function systemsFor(
  { systemIds, contentKeyClass, commonEncryptionScheme: name = 'cenc' }: IssuedKey,
  findDrmSystem: FindDrmSystem,
  drmSystems: readonly DrmSystem[],
): readonly SystemId[] {
  const issued = systemIds.filter((systemId) => findDrmSystem(systemId, 2) ?? findDrmSystem(systemId, 1))
  if (issued.length > 0) return issued
  const scheme = SPEKE_2_1.schemes[name]
  return drmSystems
    .filter((system) => system.contentKeyClass === contentKeyClass)
    .filter((system) => scheme !== undefined && system.commonEncryptionSchemes.includes(scheme))
    .map(({ systemId }) => systemId)
}
