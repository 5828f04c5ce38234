/** Exports of `keyspring/drm`: build, read and explain DRM signalling. */

export { type ErrorCode, KeyProviderError } from '../core/errors.ts'
export {
  COMMON_ENCRYPTION_SCHEMES,
  type CommonEncryptionScheme,
  type Kid,
  kidOfBytes,
  type SystemId,
  toKid,
  toSystemId,
} from '../formats/cenc.ts'
export {
  decodePlayReadyObject,
  encodePlayReadyObject,
  type PlayReadyRecord,
  WRMHEADER_RECORD,
} from '../formats/drm/payloads/playready-object.ts'
export { decodePssh, decodePsshBoxes, encodePssh, type PsshBox } from '../formats/drm/payloads/pssh.ts'
export type { ProtobufField } from '../formats/drm/payloads/widevine-pssh-data.ts'
export {
  decodeWidevinePsshData,
  encodeWidevinePsshData,
  fourCc,
  type WidevinePsshData,
} from '../formats/drm/payloads/widevine-pssh-data.ts'
export {
  playReadyChecksum,
  readWrmHeader,
  type WrmHeader,
  type WrmHeaderKey,
} from '../formats/drm/payloads/wrm-header.ts'
export { DEFAULT_SETTINGS, type SignalingSettings } from '../formats/drm/settings.ts'
export { inspect, inspectSource } from '../toolkit/inspect/inspect.ts'
export type { Inspection, Kind } from '../toolkit/inspect/inspection.ts'
export type { ByteSource } from '../toolkit/inspect/mp4/mp4.ts'
export type { InspectFinding, InspectNode, InspectOptions, InspectPlace } from '../toolkit/inspect/node.ts'
export type { Encoding } from '../toolkit/inspect/payload.ts'
export { type Colours, renderInspection } from '../toolkit/inspect/render.ts'
export {
  type KeySignaling,
  type KeyToSignal,
  KNOWN_DRM_SYSTEMS,
  type KnownDrmSystem,
  kidBytes,
  kidGuidBytes,
  signalKey,
} from './signaling.ts'
