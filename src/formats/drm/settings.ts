/** The part of a signalling profile that DRM systems read. Every member has a default in `DEFAULT_SETTINGS`. */
export interface SignalingSettings {
  readonly widevine: {
    readonly provider?: string
    /** Whether the pssh data carries the contentId (field 4). */
    readonly contentId: boolean
    readonly policy?: string
  }
  readonly playready: {
    readonly laUrl?: string
    readonly luiUrl?: string
    /** XML put inside CUSTOMATTRIBUTES, well-formed by itself. */
    readonly customAttributes?: string
    /** One kid per PlayReady object, or all kids of the document (WRMHEADER 4.2). */
    readonly kids: 'own' | 'document'
  }
  readonly fairplay: {
    /** `aws-json`, `kid`, `axinom`, or a URI with placeholders that starts with `skd://`. */
    readonly skd: string
  }
  readonly hls: {
    /** METHOD for `cenc`. @see speke.md A-12 */
    readonly cencMethod: 'SAMPLE-AES-CTR' | 'SAMPLE-AES'
  }
}

export const DEFAULT_SETTINGS: SignalingSettings = {
  widevine: { contentId: false },
  playready: { kids: 'own' },
  fairplay: { skd: 'aws-json' },
  hls: { cencMethod: 'SAMPLE-AES-CTR' },
}
