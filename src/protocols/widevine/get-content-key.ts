import type { Kid } from '../../formats/cenc.ts'
import { WIDEVINE } from '../../formats/drm/facts.ts'
import type { SignalingSettings } from '../../formats/drm/settings.ts'
import type { ContentKeys, OpenContent, WantedKey } from '../../keys/content/content-key.ts'
import { overrideKids } from '../../keys/content/kid-overrides.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { readEnvelope, writeEnvelope } from './envelope.ts'
import { type ContentKeyRequest, readContentKeyRequest, type TrackType } from './request.ts'
import { okResponse } from './response.ts'
import { statusOf, WidevineRequestError } from './status.ts'

/** Who signed a request. */
export interface WidevineCaller {
  readonly tenant: string
  readonly client: string
  /** Throws ERR_FORBIDDEN unless it may ask for this content. */
  authorize(contentId: string): void
}

/** Who signed `request` as `signer`, or undefined when nobody known did. An unsigned request has an empty signature. */
export type AuthenticateSigner = (
  signer: string,
  request: Uint8Array,
  signature: Uint8Array,
) => Promise<WidevineCaller | undefined> | WidevineCaller | undefined

export interface GetContentKeyOptions {
  readonly contentKeys: ContentKeys
  readonly authenticate: AuthenticateSigner
  /** What pssh data says besides the kid and the scheme. */
  readonly settingsFor: (ref: ContentRef, client: string) => SignalingSettings['widevine']
  readonly record: (entries: readonly LedgerEntry[]) => void
}

/** An answer of the API, and what the log wants to know of it. */
export interface ContentKeyAnswer {
  /** JSON. */
  readonly body: string
  readonly issued?: WidevineIssued
  /** Why the answer is not OK: the API tells it in the body alone. */
  readonly failure?: unknown
}

/** What an answer held, in numbers and names. */
export interface WidevineIssued extends ContentRef {
  readonly client: string
  readonly keys: number
  readonly first: boolean
  /** How the caller proved who it is. */
  readonly method: string
  /** What the ledger was told of it. */
  readonly records: readonly LedgerEntry[]
}

/** Answers the body of a request that was posted for `signer`. Never throws: a failure is a status word. */
export type GetContentKey = (signer: string, bytes: Uint8Array) => Promise<ContentKeyAnswer>

const LABEL = 'keyspring/widevine-kid/v1'

/**
 * The provider's side of the Widevine Common Encryption API. The kid of a track comes from (content, track, period), its key
 * from the kid as every other key does, in the class `drm`: the same request gets the same answer for ever.
 *
 * @see drm-signaling.md 10
 */
export function getContentKey(options: GetContentKeyOptions): GetContentKey {
  const { contentKeys, settingsFor, record } = options

  const answer = async (signer: string, bytes: Uint8Array): Promise<ContentKeyAnswer> => {
    const { caller, request } = await readSigned(options.authenticate, signer, bytes)
    const ref = { tenant: caller.tenant, contentId: request.contentId }
    const rotation = periodMajor(request)
    const { kids, first: isNewContent } = await trackKids(await contentKeys.open(ref, []), rotation)

    const wanted = kids.map((kid): WantedKey => ({ contentKeyClass: 'drm', kid }))
    const content = await contentKeys.open(ref, kids)
    const issued = await content.issue(wanted)
    const tracks = rotation.flatMap((track, at) => {
      const [one, key] = [wanted[at], issued.keys[at]]
      if (one === undefined || key === undefined) return []
      return { ...track, kid: one.kid, contentKey: key.contentKey, pssh: content.pssh(one)?.[WIDEVINE] }
    })
    const records = ledgerEntries(ref, caller.client, request, tracks)
    record(records)

    const first = isNewContent || issued.first
    const settings = { ...request, widevine: settingsFor(ref, caller.client) }
    return {
      body: writeEnvelope(okResponse(tracks, settings, first)),
      issued: { ...ref, client: caller.client, method: 'signer', keys: tracks.length, first, records },
    }
  }

  return async (signer, bytes) => {
    try {
      return await answer(signer, bytes)
    } catch (failure) {
      return { body: writeEnvelope({ status: statusOf(failure) }), failure }
    }
  }
}

/** A track in a crypto period. */
interface PeriodTrack {
  readonly type: TrackType
  readonly cryptoPeriodIndex: number | undefined
}

/** All tracks of the first period, then of the next: Shaka Packager takes them in this order and no other. */
function periodMajor({ trackTypes, cryptoPeriods }: ContentKeyRequest): readonly PeriodTrack[] {
  return cryptoPeriods.flatMap((cryptoPeriodIndex) => trackTypes.map((type) => ({ type, cryptoPeriodIndex })))
}

/** Reads a request after its signature was checked: bytes that nobody signed are not looked into. */
async function readSigned(authenticate: AuthenticateSigner, signer: string, bytes: Uint8Array) {
  const signed = readEnvelope(bytes)
  if (signed.signer !== undefined && signed.signer !== signer) throw signatureFailed()
  const caller = await authenticate(signer, signed.request, signed.signature)
  if (caller === undefined) throw signatureFailed()
  const request = readContentKeyRequest(signed.request)
  caller.authorize(request.contentId)
  return { caller, request }
}

/** One message for a signer that is not known and a signature that is not its: which of them is nobody's business. */
function signatureFailed(): WidevineRequestError {
  return new WidevineRequestError('SIGNATURE_FAILED', 'the request is not signed by the signer in its path')
}

/** The kid of each track, or the one that a kid override gives it. */
async function trackKids(content: OpenContent, tracks: readonly PeriodTrack[]) {
  const parts = tracks.map(({ type, cryptoPeriodIndex }) => [type, String(cryptoPeriodIndex ?? '')])
  const { kids: own, first } = await content.deriveKids(LABEL, parts)
  const keys = tracks.flatMap(({ type, cryptoPeriodIndex }, at) => {
    const kid = own[at]
    return kid === undefined ? [] : [{ kid, intendedTrackTypes: [type], periodIndexes: [cryptoPeriodIndex] }]
  })
  return { kids: overrideKids(keys, content.kidOverrides), first }
}

/** One record for each crypto period. */
function ledgerEntries(
  ref: ContentRef,
  client: string,
  { cryptoPeriods, protectionScheme }: ContentKeyRequest,
  tracks: readonly (PeriodTrack & { readonly kid: Kid })[],
): readonly LedgerEntry[] {
  return cryptoPeriods.map((periodIndex) => ({
    ...ref,
    periodId: periodIndex === undefined ? '' : `crypto-period-${periodIndex}`,
    periodIndex,
    periodStart: undefined,
    periodEnd: undefined,
    keys: tracks
      .filter(({ cryptoPeriodIndex }) => cryptoPeriodIndex === periodIndex)
      .map(({ type, kid }) => ({
        kid,
        contentKeyClass: 'drm',
        commonEncryptionScheme: protectionScheme,
        intendedTrackTypes: [type],
        systemIds: [WIDEVINE],
      })),
    client,
    spekeVersion: 'widevine',
  }))
}
