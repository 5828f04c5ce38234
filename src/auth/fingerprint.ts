/** A SHA-256 fingerprint as lower-case hex: OpenSSL, Node and browsers print it upper-case with colons. */
export function normalizeFingerprint(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase()
}
