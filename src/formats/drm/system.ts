import type { Filling, Template } from '../../core/template.ts'
import type { CommonEncryptionScheme, KeyAndIv, Kid, SystemId } from '../cenc.ts'
import type { SignalingSettings } from './settings.ts'

/** What the holes of signalling are filled from: the content keys of the answer. */
export interface KeyFilling extends Filling {
  /** The key and IV of a kid of the answer. Throws for any other kid. */
  keyAndIv(kid: Kid): KeyAndIv
}

/** Everything signalling may depend on. Nothing of it is secret: what depends on a key is a hole in the result. */
export interface SignalInput {
  readonly kid: Kid
  readonly contentId: string
  readonly commonEncryptionScheme: CommonEncryptionScheme
  /** Base64 of the explicitIV that the answer returns for this kid; `derived` when it comes with the key; undefined when none is returned. */
  readonly explicitIv: string | 'derived' | undefined
  /** The kids of the same key period, this one first. */
  readonly periodKids: readonly Kid[]
  /** The kids of the document, this one first. */
  readonly documentKids: readonly Kid[]
  /** Where a player fetches this key as 16 raw bytes. */
  readonly keyUrl: string
  /** Where a player posts a W3C ClearKey licence request for this content. */
  readonly clearKeyLicenseUrl: string
  /** A complete pssh box to use instead of the one this system would make: it comes from an override. */
  readonly pssh: Uint8Array | undefined
  readonly settings: SignalingSettings
}

/**
 * What a `DRMSystem` element can carry, decoded. A missing member: this system has none of that kind.
 * Members that are bytes hold one character a byte (0–255).
 */
export interface Signaling {
  /** The full box, as bytes. */
  readonly pssh?: Template<KeyFilling>
  /** The XML fragment, as text. */
  readonly contentProtectionData?: Template<KeyFilling>
  /** The attribute list of EXT-X-KEY and EXT-X-SESSION-KEY, METHOD first, without the tag, as text. */
  readonly hlsAttributes?: Template<KeyFilling>
  /** The PlayReady Object of Smooth Streaming's ProtectionHeader, as bytes. */
  readonly smoothProtectionHeader?: Template<KeyFilling>
  /** SPEKE 1.0: the value of EXT-X-KEY's URI, KEYFORMAT and KEYFORMATVERSIONS, as text. */
  readonly uriExtXKey?: Template<KeyFilling>
  readonly keyFormat?: string
  readonly keyFormatVersions?: string
}

/** One DRM system. To add one, write one file that exports this and one line in `systems.ts`. */
export interface DrmSystem {
  readonly name: string
  readonly systemId: SystemId
  /** The schemes it takes. An HLS method name stands for its equivalent here. @see speke.md 7 */
  readonly commonEncryptionSchemes: readonly CommonEncryptionScheme[]
  /** Whether a key that only such systems name may be fetched by any player: see ContentKeyClass. */
  readonly contentKeyClass: 'clear' | 'drm'
  /** Which SPEKE majors may name it; most take both. */
  readonly spekeMajors: readonly (1 | 2)[]
  /** A SPEKE 1.0 document that names it means this scheme for every system. */
  readonly impliedScheme?: CommonEncryptionScheme
  /** Whether ContentProtectionData of a v2 request is removed from the answer rather than left empty (FairPlay). */
  readonly refusesContentProtectionData?: boolean
  /** Whether ContentProtectionData of a SPEKE 1.0 request is filled; of other systems it is left empty. @see speke.md 5.2 */
  readonly fillsContentProtectionDataInV1?: true
  /** The longest URI its devices take, in bytes, scheme included; answers beyond it are warned of. */
  readonly maxUriBytes?: number
  /** Which other kids its signalling depends on; absent: only its own. */
  readonly dependsOnKids?: (settings: SignalingSettings) => 'own' | 'period' | 'document'
  signal(input: SignalInput): Signaling
}
