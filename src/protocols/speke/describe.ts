import { detached } from '../../core/detached.ts'
import type { CommonEncryptionScheme, Kid } from '../../formats/cenc.ts'
import { type ContentKeyPeriod, periodEnd } from '../../formats/cpix/content-key-period.ts'
import { overrideKids } from '../../keys/content/overrides.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { KidOverride } from '../../keys/ports/content-store.ts'
import type { LedgerKey } from '../../keys/ports/ledger-store.ts'
import type { AnsweredKey } from './layout.ts'
import type { SignalingProfile } from './profile.ts'
import type { RequestedKey, RequestedSystem, SpekeDocument } from './request.ts'

/** The kid of each requested key in the answer, by its kid in the request. Throws ERR_KID_CONFLICT. */
export function answeredKids(keys: readonly RequestedKey[], rules: readonly KidOverride[]): ReadonlyMap<Kid, Kid> {
  const ruled = keys.map(({ kid, intendedTrackTypes, periods }) => {
    return { kid, intendedTrackTypes, periodIndexes: periods.map(({ index }) => index) }
  })
  const kids = overrideKids(ruled, rules)
  return new Map(keys.map(({ kid }, at) => [kid, kids[at] ?? kid]))
}

/**
 * The requested keys with what the answer says about each. A key without a requested IV gets one only if its scheme has a constant
 * IV: in counter mode, packagers would start the counter from it, and two renditions would share a key stream.
 */
export function describeAnswer(
  request: SpekeDocument,
  kids: ReadonlyMap<Kid, Kid>,
  profile: SignalingProfile,
): readonly AnsweredKey[] {
  return request.contentKeys.map((key) => {
    const scheme = schemeOf(request, key, profile)
    const unrequested = profile.explicitIv === 'always' || scheme === 'cbcs' ? 'derived' : undefined
    return { ...key, scheme, answeredKid: kids.get(key.kid) ?? key.kid, answeredIv: key.explicitIv ?? unrequested }
  })
}

/**
 * The scheme of a key. A SPEKE 1.0 document names none. Its scheme is the one that a requested system implies, else that of the
 * profile, else the first that the key's systems support.
 */
function schemeOf(request: SpekeDocument, key: RequestedKey, profile: SignalingProfile): CommonEncryptionScheme {
  if (key.scheme !== undefined) return key.scheme
  const implied = request.drmSystems.find(({ system }) => system.impliedScheme)?.system.impliedScheme
  if (implied !== undefined) return implied
  const schemes = request.drmSystems
    .filter(({ kid }) => kid === key.kid)
    .flatMap(({ system }) => system.commonEncryptionSchemes)
  return schemes.includes(profile.v1.scheme) ? profile.v1.scheme : (schemes[0] ?? profile.v1.scheme)
}

/** The ledger entries of an answer, one for each key period. */
export function ledgerEntries(
  request: SpekeDocument,
  keys: readonly AnsweredKey[],
  caller: { readonly tenant: string; readonly client: string },
): readonly LedgerEntry[] {
  const periods = request.periods.length === 0 ? [undefined] : request.periods
  const systemsOf = Map.groupBy(request.drmSystems, ({ kid }) => kid)
  const entries = keys.map((key) => ({
    periods: new Set(key.periods),
    entry: ledgerKey(request, key, systemsOf.get(key.kid) ?? []),
  }))
  return periods.map((period, i) => ({
    tenant: caller.tenant,
    contentId: request.contentId,
    periodId: period === undefined ? '' : period.id === undefined ? unnamed(period, i) : detached(period.id),
    periodIndex: period?.index,
    periodStart: period?.start && detached(period.start),
    periodEnd: endOf(period),
    // A key whose rules name no period is valid in every period.
    keys: entries
      .filter((key) => period === undefined || key.periods.size === 0 || key.periods.has(period))
      .map(({ entry }) => entry),
    client: caller.client,
    spekeVersion: request.version.header,
  }))
}

function ledgerKey({ version }: SpekeDocument, key: AnsweredKey, systems: readonly RequestedSystem[]): LedgerKey {
  return {
    kid: key.answeredKid,
    contentKeyClass: key.contentKeyClass,
    // SPEKE 1.0 has no scheme, so the attribute was not checked there.
    commonEncryptionScheme: version.major === 1 ? key.scheme : detached(key.commonEncryptionScheme ?? key.scheme),
    intendedTrackTypes: key.intendedTrackTypes.map(detached),
    systemIds: systems.map(({ system }) => system.systemId),
  }
}

function endOf(period: ContentKeyPeriod | undefined): string | undefined {
  const end = period && periodEnd(period)
  return end && detached(end)
}

/** The name of a period without an id. The empty name means that a document has no periods. */
function unnamed({ index }: ContentKeyPeriod, position: number): string {
  return index === undefined ? `period-${position + 1}` : `index-${index}`
}
