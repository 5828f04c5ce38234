/** Bytes, or why the text is not base64: at which character it breaks. */
type Decoded = { readonly bytes: Uint8Array } | { readonly problem: string }

/** Decodes base64 in either alphabet. White space and missing padding are allowed, as encryptors allow them. */
export function decodeBase64(text: string): Decoded {
  const decoded = decodeCutBase64(text)
  return 'bytes' in decoded && decoded.cut !== undefined ? { problem: `not base64: ${decoded.cut}` } : decoded
}

/** The same, but decodes base64 whose end is missing as far as it goes. `cut` says so. */
export function decodeCutBase64(
  text: string,
): { readonly bytes: Uint8Array; readonly cut?: string } | { readonly problem: string } {
  const wrong = /[^A-Za-z0-9+/_\-=\s]|=(?=\s*[^\s=])/.exec(text)
  // The message does not quote the character: the field could hold a key.
  if (wrong !== null) return { problem: `not base64: breaks at character ${wrong.index + 1}` }
  const compact = text.replaceAll(/[\s=]/g, '')
  const bytes = new Uint8Array(Buffer.from(compact, 'base64'))
  if (compact.length % 4 !== 1) return { bytes }
  return { bytes, cut: `${compact.length} characters, the last is cut short` }
}

/** Whether text looks like base64, with or without its end. */
export function looksBase64(text: string): boolean {
  const compact = text.replaceAll(/\s/g, '')
  return compact.length >= 8 && /^[A-Za-z0-9+/_-]+={0,2}$/.test(compact)
}
