/** How the text of an environment variable or a flag becomes a setting. */
export type TextKind = 'text' | 'number' | 'boolean' | 'list'

/** A setting that can be given outside the file. */
export interface Setting {
  /** Its place in the configuration. */
  readonly path: string
  readonly kind: TextKind
}

/** Every setting that the environment may give, the file's lists of sections apart. */
export const SETTINGS: readonly Setting[] = [
  { path: 'host', kind: 'text' },
  { path: 'port', kind: 'number' },
  { path: 'data', kind: 'text' },
  { path: 'store', kind: 'text' },
  { path: 'postgres.replicas', kind: 'list' },
  { path: 'postgres.connections', kind: 'number' },
  { path: 'postgres.waiting', kind: 'number' },
  { path: 'postgres.connectTimeoutMs', kind: 'number' },
  { path: 'postgres.statementTimeoutMs', kind: 'number' },
  { path: 'dynamodb.table', kind: 'text' },
  { path: 'dynamodb.region', kind: 'text' },
  { path: 'dynamodb.endpoint', kind: 'text' },
  { path: 'dynamodb.timeoutMs', kind: 'number' },
  { path: 'dynamodb.eraseAfterDays', kind: 'number' },
  { path: 'rootKey.kind', kind: 'text' },
  { path: 'rootKey.previous', kind: 'list' },
  { path: 'rootKey.file', kind: 'text' },
  { path: 'rootKey.passphrase', kind: 'text' },
  { path: 'rootKey.cacheMinutes', kind: 'number' },
  { path: 'rootKey.maxStaleMinutes', kind: 'number' },
  { path: 'rootKey.awsKms.keyId', kind: 'text' },
  { path: 'rootKey.awsKms.region', kind: 'text' },
  { path: 'rootKey.awsKms.endpoint', kind: 'text' },
  { path: 'rootKey.awsKms.timeoutMs', kind: 'number' },
  { path: 'rootKey.vault.url', kind: 'text' },
  { path: 'rootKey.vault.key', kind: 'text' },
  { path: 'rootKey.vault.mount', kind: 'text' },
  { path: 'rootKey.vault.token', kind: 'text' },
  { path: 'rootKey.vault.timeoutMs', kind: 'number' },
  { path: 'publicUrl', kind: 'text' },
  { path: 'allowAnonymous', kind: 'boolean' },
  { path: 'trustProxy', kind: 'list' },
  { path: 'logRequests', kind: 'boolean' },
  { path: 'logLevel', kind: 'text' },
  { path: 'limits.bodyBytes', kind: 'number' },
  { path: 'limits.depth', kind: 'number' },
  { path: 'limits.elements', kind: 'number' },
  { path: 'limits.contentKeys', kind: 'number' },
  { path: 'limits.drmSystems', kind: 'number' },
  { path: 'limits.recipients', kind: 'number' },
  { path: 'limits.connections', kind: 'number' },
  { path: 'limits.cachedContents', kind: 'number' },
  { path: 'limits.requestsPerSocket', kind: 'number' },
  { path: 'limits.concurrentRequests', kind: 'number' },
  { path: 'limits.clientRequestsPerSecond', kind: 'number' },
  { path: 'limits.clientBurst', kind: 'number' },
  { path: 'limits.headersTimeoutMs', kind: 'number' },
  { path: 'limits.requestTimeoutMs', kind: 'number' },
  { path: 'speke.basePaths', kind: 'list' },
  { path: 'speke.missingVersionHeader', kind: 'text' },
  { path: 'speke.strictContract', kind: 'boolean' },
  { path: 'speke.contract.allKey', kind: 'text' },
  { path: 'speke.contract.audioWithUhd', kind: 'text' },
  { path: 'speke.hlsAes128SystemIds', kind: 'list' },
  { path: 'contentKeys.policy', kind: 'text' },
  { path: 'contentKeys.rootSecret', kind: 'text' },
  { path: 'contentKeyEncryption.validity', kind: 'text' },
  { path: 'ledger.retentionDays', kind: 'number' },
  { path: 'signalingProfile', kind: 'text' },
  { path: 'auth.realm', kind: 'text' },
  { path: 'auth.jwt.issuer', kind: 'text' },
  { path: 'auth.jwt.audience', kind: 'text' },
  { path: 'auth.jwt.jwks', kind: 'text' },
  { path: 'auth.jwt.clientClaim', kind: 'text' },
  { path: 'auth.jwt.algorithms', kind: 'list' },
  { path: 'auth.gateway.secretHeader', kind: 'text' },
  { path: 'auth.gateway.secretSha256', kind: 'list' },
  { path: 'auth.gateway.secretFiles', kind: 'list' },
  { path: 'auth.gateway.certificateFingerprints', kind: 'list' },
  { path: 'auth.gateway.arnHeader', kind: 'text' },
  { path: 'auth.gateway.accountHeader', kind: 'text' },
  { path: 'auth.gateway.callers', kind: 'list' },
  { path: 'auth.sigv4.service', kind: 'text' },
  { path: 'auth.sigv4.region', kind: 'text' },
  { path: 'auth.sigv4.allowUnsignedPayload', kind: 'boolean' },
  { path: 'auth.digest.algorithms', kind: 'list' },
  { path: 'auth.digest.nonceSeconds', kind: 'number' },
  { path: 'tls.cert', kind: 'text' },
  { path: 'tls.key', kind: 'text' },
  { path: 'tls.clientCa', kind: 'text' },
  { path: 'admin.host', kind: 'text' },
  { path: 'admin.port', kind: 'number' },
  { path: 'playback.access', kind: 'text' },
  { path: 'playback.origins', kind: 'list' },
  { path: 'playback.serveDrmKeys', kind: 'list' },
  { path: 'playback.urlQuery', kind: 'text' },
  { path: 'playback.token.cookie', kind: 'text' },
  { path: 'playback.token.query', kind: 'text' },
  { path: 'playback.rateLimit.perSecond', kind: 'number' },
  { path: 'playback.rateLimit.burst', kind: 'number' },
  { path: 'playback.jwt.secret', kind: 'text' },
  { path: 'playback.jwt.jwks', kind: 'text' },
  { path: 'playback.jwt.audience', kind: 'text' },
  { path: 'playback.signedUrl.secret', kind: 'text' },
  { path: 'playback.signedUrl.keyFiles', kind: 'list' },
  { path: 'playback.callback.url', kind: 'text' },
  { path: 'playback.callback.timeoutMs', kind: 'number' },
  { path: 'playback.callback.maxTtlSeconds', kind: 'number' },
  { path: 'retention.default', kind: 'text' },
  { path: 'retention.hold', kind: 'list' },
  { path: 'retention.sweepMinutes', kind: 'number' },
  { path: 'rotation.graceSeconds', kind: 'number' },
  { path: 'audit.directory', kind: 'text' },
  { path: 'audit.node', kind: 'text' },
  { path: 'audit.issue', kind: 'text' },
  { path: 'events.webhook.url', kind: 'text' },
  { path: 'events.webhook.secret', kind: 'text' },
  { path: 'events.webhook.timeoutMs', kind: 'number' },
  { path: 'events.eventBus', kind: 'text' },
  { path: 'events.file', kind: 'text' },
  { path: 'events.types', kind: 'list' },
  { path: 'events.deadLetterFile', kind: 'text' },
  { path: 'api.enabled', kind: 'boolean' },
  { path: 'api.importKeyFile', kind: 'text' },
]

/** The name of a setting in the environment: `limits.bodyBytes` is KEYSPRING_LIMITS_BODY_BYTES. */
export function environmentName(path: string): string {
  return `KEYSPRING_${path
    .replaceAll('.', '_')
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toUpperCase()}`
}

/** The value that `text` spells, or the text itself where it spells none: the schema then says what was expected. */
export function fromText(kind: TextKind, text: string): unknown {
  if (kind === 'number') return /^\d{1,15}$/.test(text) ? Number(text) : text
  if (kind === 'boolean') return BOOLEANS.get(text) ?? text
  if (kind === 'list')
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  return text
}

const BOOLEANS = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
])
