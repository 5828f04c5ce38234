/** What `keyspring/drm` exports: DRM signalling made, read and explained. */
export {
  COMMON_ENCRYPTION_SCHEMES,
  type CommonEncryptionScheme,
  type Kid,
  kidOfBytes,
  type SystemId,
  toKid,
  toSystemId,
} from '../cenc.ts'
export {
  decodePlayReadyObject,
  encodePlayReadyObject,
  type PlayReadyRecord,
  WRMHEADER_RECORD,
} from '../drm/playready-object.ts'
export type { ProtobufField } from '../drm/protobuf.ts'
export { decodePssh, decodePsshBoxes, encodePssh, type PsshBox } from '../drm/pssh.ts'
export { readWrmHeader, type WrmHeader, type WrmHeaderKey } from '../drm/read-wrm-header.ts'
export { DEFAULT_SETTINGS, type SignalingSettings } from '../drm/settings.ts'
export {
  decodeWidevinePsshData,
  encodeWidevinePsshData,
  fourCc,
  type WidevinePsshData,
} from '../drm/widevine-pssh-data.ts'
export { playReadyChecksum } from '../drm/wrm-header.ts'
export { type ErrorCode, KeyProviderError } from '../errors.ts'
export { type Encoding, type Inspection, inspect, inspectSource, type Kind } from '../inspect/inspect.ts'
export type { ByteSource } from '../inspect/mp4.ts'
export type { Finding, InspectNode, Place } from '../inspect/node.ts'
export type { InspectOptions } from '../inspect/options.ts'
export { type Colours, renderInspection } from '../inspect/render.ts'
export {
  type KeySignaling,
  type KeyToSignal,
  KNOWN_DRM_SYSTEMS,
  type KnownDrmSystem,
  kidBytes,
  kidGuidBytes,
  signalKey,
} from './signaling.ts'
