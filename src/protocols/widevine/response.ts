import { type CommonEncryptionScheme, type Kid, uuidBytes } from '../../formats/cenc.ts'
import { WIDEVINE } from '../../formats/drm/facts.ts'
import { decodePssh, encodePssh } from '../../formats/drm/payloads/pssh.ts'
import { encodeWidevinePsshData, fourCc } from '../../formats/drm/payloads/widevine-pssh-data.ts'
import type { SignalingSettings } from '../../formats/drm/settings.ts'
import type { TrackType } from './request.ts'

/** The key of one track in one crypto period. */
interface IssuedTrack {
  readonly type: TrackType
  readonly cryptoPeriodIndex: number | undefined
  readonly kid: Kid
  readonly contentKey: Uint8Array
  /** The ready-made box of an override. */
  readonly pssh: Uint8Array | undefined
}

/** The parts of the pssh data that are the same for every track. */
interface PsshSettings {
  readonly contentId: string
  readonly protectionScheme: CommonEncryptionScheme
  readonly widevine: SignalingSettings['widevine']
}

/** The answer OK. It has no `iv`: a packager that receives one encrypts every rendition of a key with it. */
export function okResponse(tracks: readonly IssuedTrack[], settings: PsshSettings, first: boolean) {
  return {
    status: 'OK',
    drm: [{ type: 'WIDEVINE', system_id: WIDEVINE.replaceAll('-', '') }],
    tracks: tracks.map((track) => toTrack(track, settings)),
    already_used: !first,
  }
}

function toTrack(track: IssuedTrack, settings: PsshSettings) {
  const { type, cryptoPeriodIndex, kid, contentKey } = track
  const box = track.pssh === undefined ? undefined : decodePssh(track.pssh)
  const data = box?.data ?? psshData(track, settings)
  const boxes = track.pssh ?? encodePssh({ systemId: WIDEVINE, kids: [], data })
  return {
    type,
    key_id: base64(uuidBytes(kid)),
    key: base64(contentKey),
    pssh: [{ drm_type: 'WIDEVINE', data: base64(data), boxes: base64(boxes) }],
    ...(cryptoPeriodIndex === undefined ? {} : { crypto_period_index: cryptoPeriodIndex }),
  }
}

function psshData({ kid, cryptoPeriodIndex }: IssuedTrack, { contentId, protectionScheme, widevine }: PsshSettings) {
  const { provider, policy } = widevine
  return encodeWidevinePsshData({
    keyIds: [kid],
    protectionScheme: fourCc(protectionScheme),
    ...(provider === undefined ? {} : { provider }),
    ...(policy === undefined ? {} : { policy }),
    ...(widevine.contentId ? { contentId: Buffer.from(contentId) } : {}),
    ...(cryptoPeriodIndex === undefined ? {} : { cryptoPeriodIndex }),
  })
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
