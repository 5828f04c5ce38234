/** Bytes, or why the text is not base64 of any: at which character it breaks. */
export type Decoded = { readonly bytes: Uint8Array } | { readonly problem: string }

/** Reads base64 in either alphabet; white space and missing padding are let pass, as encryptors do. */
export function decodeBase64(text: string): Decoded {
  const wrong = /[^A-Za-z0-9+/_\-=\s]|=(?=\s*[^\s=])/.exec(text)
  // The character itself stays out: the field could hold a key.
  if (wrong !== null) return { problem: `not base64: breaks at character ${wrong.index + 1}` }
  const compact = text.replaceAll(/[\s=]/g, '')
  if (compact.length % 4 === 1) return { problem: `not base64: ${compact.length} characters, the last is cut short` }
  return { bytes: new Uint8Array(Buffer.from(compact, 'base64')) }
}

/** Whether text has the look of base64, and not that of a word. */
export function looksBase64(text: string): boolean {
  const compact = text.replaceAll(/\s/g, '')
  return compact.length >= 8 && /^[A-Za-z0-9+/_-]+={0,2}$/.test(compact) && compact.replace(/=+$/, '').length % 4 !== 1
}
