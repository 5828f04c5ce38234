import type { Kid } from '../../formats/cenc.ts'
import { WIDEVINE } from '../../formats/drm/facts.ts'
import type { SignalingSettings } from '../../formats/drm/settings.ts'
import type { ContentKeys, OpenContent, WantedKey } from '../../keys/content/content-key.ts'
import { overrideKids } from '../../keys/content/overrides.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { readEnvelope, statusOf, WidevineRequestError, writeEnvelope } from './envelope.ts'
import { type ContentKeyRequest, readContentKeyRequest, type TrackType } from './request.ts'
import { okResponse } from './response.ts'

/** The client that signed a request. */
export interface WidevineCaller {
  readonly tenant: string
  readonly client: string
  /** Throws ERR_FORBIDDEN for a content that the client has no permission for. */
  authorize(contentId: string): void
}

/** The client that signed `request` as `signer`; undefined for an unknown signer or a wrong signature. An unsigned request has an empty signature. */
type AuthenticateSigner = (
  signer: string,
  request: Uint8Array,
  signature: Uint8Array,
) => Promise<WidevineCaller | undefined> | WidevineCaller | undefined

export interface WidevineOptions {
  readonly contentKeys: ContentKeys
  readonly authenticate: AuthenticateSigner
  /** The settings of the pssh data. */
  readonly settingsFor: (ref: ContentRef, client: string) => SignalingSettings['widevine']
  readonly record: (entries: readonly LedgerEntry[]) => void
}

/** An answer of the API. */
interface ContentKeyAnswer {
  /** JSON. */
  readonly body: string
  readonly issued?: WidevineIssued
  /** The error, if the answer is not OK. Only the body says so: the HTTP status is 200. */
  readonly failure?: unknown
}

/** What an answer issued, without its keys. */
interface WidevineIssued extends ContentRef {
  readonly client: string
  readonly keys: number
  readonly first: boolean
  /** The authentication method. */
  readonly method: string
  /** The ledger entries. */
  readonly records: readonly LedgerEntry[]
}

const LABEL = 'keyspring/widevine-kid/v1'

/**
 * Answers the Widevine Common Encryption API, as its provider. The kid of a track is derived from the content, the track and the
 * crypto period; its key has the class `drm`. The same request always gets the same answer.
 */
export class WidevineAnswerer {
  readonly #options: WidevineOptions

  constructor(options: WidevineOptions) {
    this.#options = options
  }

  /** Answers the body of a request for `signer`. Never throws: the answer has a status word instead. */
  async answer(signer: string, bytes: Uint8Array): Promise<ContentKeyAnswer> {
    try {
      return await this.#issue(signer, bytes)
    } catch (failure) {
      return { body: writeEnvelope({ status: statusOf(failure) }), failure }
    }
  }

  async #issue(signer: string, bytes: Uint8Array): Promise<ContentKeyAnswer> {
    const { contentKeys, settingsFor, record } = this.#options
    const { caller, request } = await readSigned(this.#options.authenticate, signer, bytes)
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
}

/** A track in a crypto period. */
interface PeriodTrack {
  readonly type: TrackType
  readonly cryptoPeriodIndex: number | undefined
}

/** All tracks of the first period, then those of the next. Shaka Packager needs this order. */
function periodMajor({ trackTypes, cryptoPeriods }: ContentKeyRequest): readonly PeriodTrack[] {
  return cryptoPeriods.flatMap((cryptoPeriodIndex) => trackTypes.map((type) => ({ type, cryptoPeriodIndex })))
}

/** Reads a request after its signature is verified. */
async function readSigned(authenticate: AuthenticateSigner, signer: string, bytes: Uint8Array) {
  const signed = readEnvelope(bytes)
  if (signed.signer !== undefined && signed.signer !== signer) throw signatureFailed()
  const caller = await authenticate(signer, signed.request, signed.signature)
  if (caller === undefined) throw signatureFailed()
  const request = readContentKeyRequest(signed.request)
  caller.authorize(request.contentId)
  return { caller, request }
}

/** One message for an unknown signer and a wrong signature, so that it does not reveal which signers exist. */
function signatureFailed(): WidevineRequestError {
  return new WidevineRequestError(
    'SIGNATURE_FAILED',
    'the signer in the path did not sign the request. Check the signer name, key and IV of the packager.',
  )
}

/** The kid of each track, after kid overrides. */
async function trackKids(content: OpenContent, tracks: readonly PeriodTrack[]) {
  const parts = tracks.map(({ type, cryptoPeriodIndex }) => [type, String(cryptoPeriodIndex ?? '')])
  const { kids: own, first } = await content.deriveKids(LABEL, parts)
  const keys = tracks.flatMap(({ type, cryptoPeriodIndex }, at) => {
    const kid = own[at]
    return kid === undefined ? [] : [{ kid, intendedTrackTypes: [type], periodIndexes: [cryptoPeriodIndex] }]
  })
  return { kids: overrideKids(keys, content.kidOverrides), first }
}

/** One ledger entry for each crypto period. */
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
