import type { Kid } from '../../../formats/cenc.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type {
  ContentLife,
  Expiry,
  KidOverride,
  LifeStore,
  StoredContent,
  StoredOverride,
  Tombstone,
} from '../../../keys/ports/content-store.ts'
import type { IssuedKid } from '../../../keys/ports/ledger-store.ts'
import type { StoredDocument } from '../../../operations/ports/store.ts'
import { COMPLETE_OVERRIDES, UNBORN } from '../rows.ts'

/** A content in memory. */
export interface MemoryContent {
  readonly ref: ContentRef
  life: ContentLife
  sealedSecret: Uint8Array | undefined
  tombstone: Tombstone | undefined
  document: StoredDocument | undefined
  readonly overrides: Map<string, StoredOverride>
  readonly kidOverrides: Map<string, KidOverride>
  /** By `overrideId`. */
  readonly issued: Map<string, IssuedKid>
}

/** Every content of a store in memory. */
export interface MemoryContents {
  find(ref: ContentRef): MemoryContent | undefined
  /** The content to write to, created if necessary. */
  get(ref: ContentRef): MemoryContent
  all(): readonly MemoryContent[]
}

export function memoryContents(): MemoryContents {
  const contents = new Map<string, MemoryContent>()
  return {
    find: (ref) => contents.get(idOf(ref)),
    get({ tenant, contentId }) {
      const ref = { tenant, contentId }
      const content = contents.get(idOf(ref)) ?? {
        ref,
        life: UNBORN,
        sealedSecret: undefined,
        tombstone: undefined,
        document: undefined,
        overrides: new Map(),
        kidOverrides: new Map(),
        issued: new Map(),
      }
      contents.set(idOf(ref), content)
      return content
    },
    all: () => [...contents.values()],
  }
}

/** The stored content; undefined if nothing is stored. */
export function readContent(content: MemoryContent, kids: readonly Kid[]): StoredContent | undefined {
  const { life, sealedSecret, tombstone } = content
  const all = [...content.overrides.values()].sort(byKid)
  const isBare = sealedSecret === undefined && tombstone === undefined && all.length + content.kidOverrides.size === 0
  if (isBare && Object.values(life).every((one) => one === undefined || one === 0)) return undefined
  const overridesComplete = all.length <= COMPLETE_OVERRIDES
  return {
    life,
    sealedSecret,
    overrides: overridesComplete ? all : all.filter(({ kid }) => kids.includes(kid)),
    overridesComplete,
    kidOverrides: [...content.kidOverrides.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rule]) => rule),
    tombstone,
  }
}

/** Deletes everything of a content except its creation time and its epoch. */
export function destroy(content: MemoryContent, { at, reason, cause }: Tombstone): void {
  const { createdAt, epoch } = content.life
  content.life = { createdAt, expiresAt: undefined, hold: undefined, epoch }
  content.sealedSecret = undefined
  content.document = undefined
  content.overrides.clear()
  content.kidOverrides.clear()
  content.issued.clear()
  content.tombstone = { at, reason, cause }
}

/** Ordered by the UTF-8 bytes of the names. */
export function byName({ ref: a }: Pick<MemoryContent, 'ref'>, { ref: b }: Pick<MemoryContent, 'ref'>): number {
  return byBytes(a.tenant, b.tenant) || byBytes(a.contentId, b.contentId)
}

export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

export const overrideId = ({ kid, contentKeyClass }: Pick<StoredOverride, 'kid' | 'contentKeyClass'>): string =>
  `${kid} ${contentKeyClass}`
export function byKid(a: IssuedKid, b: IssuedKid): number {
  const [first, second] = [overrideId(a), overrideId(b)]
  return first === second ? 0 : first < second ? -1 : 1
}

const idOf = ({ tenant, contentId }: ContentRef): string => JSON.stringify([tenant, contentId])

/** Expiry and legal holds in memory. */
export function memoryLifeStore(contents: MemoryContents): LifeStore {
  return {
    async putHold(ref, hold) {
      const content = contents.find(ref)
      if (content === undefined || content.tombstone !== undefined) return false
      content.life = { ...content.life, hold }
      return true
    },

    async listExpired(before, after, limit) {
      return contents
        .all()
        .flatMap(({ ref, life: { expiresAt = Infinity, hold } }): readonly Expiry[] =>
          expiresAt < before && hold === undefined ? [{ ...ref, expiresAt }] : [],
        )
        .filter((one) => after === undefined || byExpiry(one, after) > 0)
        .sort(byExpiry)
        .slice(0, limit)
    },

    async destroyExpired(expired, at, reason) {
      return expired.flatMap(({ expiresAt, ...ref }): readonly ContentRef[] => {
        const content = contents.find(ref)
        if (content === undefined || content.life.expiresAt !== expiresAt || content.life.hold !== undefined) return []
        destroy(content, { at, reason, cause: 'expired' })
        return [content.ref]
      })
    },

    async listUnlimited(after, limit) {
      return contents
        .all()
        .filter(({ life, tombstone }): boolean => (life.expiresAt ?? life.hold ?? tombstone) === undefined)
        .filter((content) => after === undefined || byName(content, { ref: after }) > 0)
        .sort(byName)
        .slice(0, limit)
        .map(({ ref }) => ref)
    },
  }
}

function byExpiry(a: Expiry, b: Expiry): number {
  return a.expiresAt - b.expiresAt || byName({ ref: a }, { ref: b })
}
