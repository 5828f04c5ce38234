import type { Filling, Template } from '../../core/template.ts'
import type { CommonEncryptionScheme, ContentKeyClass, KeyAndIv, Kid, SystemId } from '../cenc.ts'
import type { SignalingSettings } from './settings.ts'

/** The source of the holes of signalling: the content keys of the answer. */
export interface KeyFilling extends Filling {
  /** The key and IV of a kid of the answer. Throws for any other kid. */
  keyAndIv(kid: Kid): KeyAndIv
}

/** Everything signalling may depend on. Nothing in it is secret: a value that depends on a key is a hole in the result. */
export interface SignalInput {
  readonly kid: Kid
  readonly contentId: string
  readonly commonEncryptionScheme: CommonEncryptionScheme
  /** Base64 of the explicitIV that the answer returns for this kid; `derived` if it comes with the key; undefined if none is returned. */
  readonly explicitIv: string | 'derived' | undefined
  /** The kids of the same key period, this one first. */
  readonly periodKids: readonly Kid[]
  /** The kids of the document, this one first. */
  readonly documentKids: readonly Kid[]
  /** The index of the key period, for a key that has one key period with an index. */
  readonly periodIndex: number | undefined
  /** Where a player fetches this key as 16 raw bytes. */
  readonly keyUrl: string
  /** Where a player posts a W3C ClearKey licence request for this content. */
  readonly clearKeyLicenseUrl: string
  /** A complete pssh box of an override, which replaces the one of this system. */
  readonly pssh: Uint8Array | undefined
  readonly settings: SignalingSettings
}

/**
 * The content of a `DRMSystem` element, decoded. A missing member: the system has no such signalling.
 * Members that are bytes have one character for each byte (0–255).
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

/** The child elements of `DRMSystem` that carry a value. `speke:` marks the elements that only SPEKE 1.0 defines. */
export type Slot =
  | 'PSSH'
  | 'ContentProtectionData'
  | 'HLSSignalingData'
  | 'SmoothStreamingProtectionHeaderData'
  | 'URIExtXKey'
  | 'speke:KeyFormat'
  | 'speke:KeyFormatVersions'
  | 'speke:ProtectionHeader'

/** The slots of a DRM system in SPEKE 1.0 and in SPEKE 2.0 or later. */
export type SlotsByMajor = Readonly<Record<1 | 2, readonly Slot[]>>

/** What is public about a DRM system, whether Keyspring signals it or only names it. */
export interface DrmSystemFacts {
  readonly name: string
  readonly systemId: SystemId
  /** The short name of the system on the command line. */
  readonly option?: string
  /** The slots that a key provider must fill when a request contains them. Absent: no requirement is known. */
  readonly fills?: SlotsByMajor
  /** The slots that an encryptor requests, where they differ from `fills`. Empty: the SPEKE version does not know the system. */
  readonly asks?: SlotsByMajor
  /** The system ID inside the pssh box, where it differs from `systemId`. */
  readonly psshSystemId?: SystemId
  /** KEYFORMAT of the system's HLS lines. */
  readonly keyFormat?: string
  /** Older or vendor spellings of `keyFormat` that players also accept. */
  readonly otherKeyFormats?: readonly string[]
  /** The order of the attributes of an HLS line in the MediaPackage guide. */
  readonly attributeOrder?: readonly string[]
  readonly signal?: Signal
}

/** Makes the signalling of a key. `system` is the row of the table, so that one function can serve several rows. */
type Signal = (input: SignalInput, system: DrmSystemFacts) => Signaling

/** A DRM system that Keyspring signals. To add one, write one file with its `Signal` and one row in `facts.ts`. */
export interface DrmSystem extends DrmSystemFacts {
  /** The supported protection schemes. An HLS method counts as its equivalent. */
  readonly commonEncryptionSchemes: readonly CommonEncryptionScheme[]
  /** The schemes that CPIX transfer accepts, where they are more than those of SPEKE. */
  readonly transferSchemes?: readonly CommonEncryptionScheme[]
  /** Whether any player may fetch a key that is requested for such systems only: see ContentKeyClass. */
  readonly contentKeyClass: ContentKeyClass
  /** The SPEKE major versions that may name the system. */
  readonly spekeMajors: readonly (1 | 2)[]
  /** The scheme of all keys of a SPEKE 1.0 document that names this system. */
  readonly impliedScheme?: CommonEncryptionScheme
  /** Whether an answer of SPEKE 2.0 omits ContentProtectionData instead of leaving it empty (FairPlay). */
  readonly refusesContentProtectionData?: boolean
  /** Whether ContentProtectionData of a SPEKE 1.0 request is filled. Other systems leave it empty. */
  readonly fillsContentProtectionDataInV1?: true
  /** The longest URI that devices accept, in bytes with the scheme. Keyspring warns about longer answers. */
  readonly maxUriBytes?: number
  /** The other kids that the signalling depends on. Absent: only its own kid. */
  readonly dependsOnKids?: (settings: SignalingSettings) => 'own' | 'period' | 'document'
  readonly signal: Signal
}
