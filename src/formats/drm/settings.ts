/** The part of a signalling profile that DRM systems read. A member that may be missing is off without a value. */
export interface SignalingSettings {
  readonly widevine: {
    readonly provider?: string
    /** Whether the pssh data has the contentId (field 4). */
    readonly contentId: boolean
    readonly policy?: string
    /** Whether the pssh data of a key with one key period has the index of that period (crypto_period_index, field 7). */
    readonly cryptoPeriodIndex?: boolean
    /** Whether HLS lines have KEYID, which some players require. */
    readonly hlsKeyId?: boolean
    /** The URL of dashif:Laurl in ContentProtectionData. */
    readonly dashLaUrl?: string
  }
  readonly playready: {
    readonly laUrl?: string
    readonly luiUrl?: string
    /** XML inside CUSTOMATTRIBUTES, well-formed by itself. */
    readonly customAttributes?: string
    /** One kid per PlayReady object, or all kids of the document (WRMHEADER 4.2). */
    readonly kids: 'own' | 'document'
    /** The URL of dashif:Laurl in ContentProtectionData. */
    readonly dashLaUrl?: string
  }
  readonly fairplay: {
    /** `aws-json`, `kid`, `axinom`, or a URI with placeholders that starts with `skd://`. */
    readonly skd: string
  }
  readonly hls: {
    /** METHOD for `cenc`. */
    readonly cencMethod: 'SAMPLE-AES-CTR' | 'SAMPLE-AES'
    /** Whether lines with KEYFORMAT="identity" have the returned explicitIV as IV. */
    readonly identityIv?: boolean
  }
}

export const DEFAULT_SETTINGS: SignalingSettings = {
  widevine: { contentId: false, cryptoPeriodIndex: false, hlsKeyId: false },
  playready: { kids: 'own' },
  fairplay: { skd: 'aws-json' },
  hls: { cencMethod: 'SAMPLE-AES-CTR', identityIv: false },
}
