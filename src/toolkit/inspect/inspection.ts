import type { JsonKind } from './json.ts'
import type { InspectNode } from './node.ts'
import type { Encoding } from './payload.ts'

/** What an input is, and its parts. */
export interface Inspection {
  readonly kind: Kind
  /** The encodings around it, outermost first. */
  readonly encodings: readonly Encoding[]
  readonly nodes: readonly InspectNode[]
}

export type Kind =
  | 'CPIX'
  | 'pssh'
  | 'ISO BMFF boxes'
  | 'PlayReady Object'
  | 'WRMHEADER'
  | 'Widevine message'
  | 'HLS'
  | 'DASH MPD'
  | 'Smooth Streaming manifest'
  | 'ContentProtection elements'
  | 'FairPlay URI'
  | 'X.509 certificate'
  | 'KID'
  | 'private key'
  | 'XML'
  | JsonKind
  | 'unknown'
