/** The tenant and generation of a data key. A wrapped data key unwraps only with the context it was wrapped with. */
export type WrapContext = Readonly<Record<string, string>>

/**
 * Wraps and unwraps data keys. Every method throws ERR_ROOT_KEY_UNAVAILABLE when the root key cannot be reached. The contract tests
 * are `test/adapters/root-keys/root-key-contract.ts`.
 */
export interface RootKey {
  wrap(dataKey: Uint8Array, context: WrapContext): Promise<Uint8Array>

  /** The data key; undefined if another root key wrapped it. Throws ERR_SEAL_BROKEN if this root key wrapped it and it does not open. */
  unwrap(wrapped: Uint8Array, context: WrapContext): Promise<Uint8Array | undefined>

  /** A new data key of 32 bytes and its wrapped form. Only root keys that generate data keys themselves have this method. */
  generate?(context: WrapContext): Promise<{ readonly dataKey: Uint8Array; readonly wrapped: Uint8Array }>

  /**
   * The same data key, wrapped by the newest generation of the root key; undefined as for `unwrap`. Only root keys that rewrap
   * without revealing the data key have this method.
   */
  rewrap?(wrapped: Uint8Array, context: WrapContext): Promise<Uint8Array | undefined>

  /** The name of the root key generation that wrapped `wrapped`, for display; undefined if another root key did. */
  describe?(wrapped: Uint8Array): string | undefined

  /** Whether the newest generation of the root key wrapped `wrapped`, if that is known. */
  isNewest?(wrapped: Uint8Array): boolean

  close(): Promise<void>
}
