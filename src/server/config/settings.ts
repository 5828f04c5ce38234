import { DIGEST_ALGORITHMS, type DigestAlgorithm } from '../../auth/methods/digest-secret.ts'
import { JWT_ALGORITHMS } from '../../auth/methods/jwt.ts'
import { PLAYER_AUDIENCE } from '../../auth/players/token.ts'
import { Secret } from '../../core/secret.ts'
import { HLS_AES_128, HLS_AES_128_OF_AWS } from '../../formats/drm/facts.ts'
import { EVENT_TYPES } from '../../operations/ports/events.ts'
import {
  byName,
  fileName,
  gatewayCaller,
  group,
  headerName,
  host,
  ipAddress,
  keyFile,
  keySet,
  line,
  list,
  MIN_SECRET_BYTES,
  name64,
  oneOf,
  origin,
  playerSecret,
  postgresUrl,
  profileName,
  section,
  serviceUrl,
  setting,
  sha256Hex,
  storeName,
  systemId,
  text,
  tokenName,
  url,
  urlQuery,
  wholeNumber,
  yesOrNo,
} from './fields.ts'
import { CLIENT, DRM_SYSTEM, RETENTION_CLASS, SIGNALING_PROFILE, WIDEVINE_SIGNER } from './shapes.ts'

// Every setting, one line each: its type, its default, its line in docs/config.md, and whether a change needs a restart.
// The environment variable, the documentation, the reload and `config init` all follow from this table.

const ROOT_KEY_KINDS = ['local', 'aws-kms', 'vault'] as const
const digestAlgorithms = Object.keys(DIGEST_ALGORITHMS) as [DigestAlgorithm, ...DigestAlgorithm[]]
const milliseconds = (least: number, most: number, standard: number) => wholeNumber(least, most).default(standard)
const timeoutMs = milliseconds(100, 60_000, 3_000)
const playerSecretSetting = playerSecret.transform((value) => new Secret(value)).optional()
const retentionPattern = line
const nodeName = text(
  'a name of 1 to 60 letters, digits, dots, dashes or underscores that starts with no dot',
  (value) => /^[\w-][\w.-]{0,59}$/.test(value),
)
const realm = text('1 to 64 printable ASCII characters without quotes and backslashes', (value) =>
  /^[ !#-[\]-~]{1,64}$/.test(value),
)
const webhookSecret = text(
  'a secret of 32 to 4096 characters, one line',
  (value) => value.length >= 32 && value.length <= 4_096 && !/[\r\n\0]/.test(value),
)

/** The sections of the configuration. Each has a default as a whole. */
// biome-ignore format: a table, one setting a line
export const SECTIONS = {
  host: setting(host.default('127.0.0.1'), 'The address to listen on. An address that other machines can reach requires [clients](#clients) or `allowAnonymous`, and `publicUrl`.', 'value'),
  port: setting(wholeNumber(0, 65_535).default(8_080), 'The port, 0 to 65535. `0` chooses a free port and prints it.', 'value'),
  data: setting(fileName.default('./data'), 'The directory of the store (`keyspring.db`) and of `root.key`. A relative path starts at the directory of the configuration file. Keyspring creates the directory and its parents.', 'value'),
  store: setting(storeName.default('sqlite'), '`sqlite`; `postgres://user:password@host:port/database` for [several nodes](guides/run-several-nodes.md), best set through `KEYSPRING_STORE_FILE`, with verified TLS except to this machine or with `sslmode=disable`; `dynamodb` for [a table of Amazon DynamoDB](guides/run-on-dynamodb.md); or `memory`, for tests: all keys are lost when the process ends.', 'value'),
  postgres: group({
    replicas: setting(list(postgresUrl).default([]), 'URLs of read replicas. Keyspring reads contents from a replica that has them, and asks the primary for everything else.', 'value'),
    connections: setting(wholeNumber(1, 1_000).default(10), 'Connections of one process to each server, 1 to 1000.', 'value'),
    waiting: setting(wholeNumber(1, 100_000).default(1_000), 'Calls that may wait for a connection, 1 to 100000. Further calls return 503 at once.', 'value'),
    connectTimeoutMs: setting(timeoutMs, 'How long a call waits for a connection, 100 to 60000 ms.', 'value'),
    statementTimeoutMs: setting(milliseconds(100, 60_000, 5_000), 'How long a statement may take, 100 to 60000 ms.', 'value'),
  }),
  dynamodb: group({
    table: setting(text('the name of a table', (value) => /^[\w.-]{3,255}$/.test(value)).optional(), 'The table: partition key `pk` and sort key `sk`, both strings; time to live on `ttl`. The AWS SDK finds the credentials.', 'value'),
    region: setting(line.optional(), 'The region. Not set: the AWS SDK chooses it.', 'value'),
    endpoint: setting(serviceUrl.optional(), 'An endpoint other than the one of the region: https, or http on loopback.', 'value'),
    timeoutMs: setting(timeoutMs, 'How long one call may take, all attempts included, 100 to 60000 ms.', 'value'),
    eraseAfterDays: setting(wholeNumber(1, 3_650).default(90), 'Days after its expiry when DynamoDB erases the secret of a content, even if no node sweeps, 1 to 3650. It must be longer than every `grace`. Content that never expires, or is under legal hold, is never erased.', 'value'),
  }),
  rootKey: group({
    kind: setting(oneOf(ROOT_KEY_KINDS).default('local'), 'What wraps the data keys: `local` (a file), `aws-kms`, or `vault` (also OpenBao).', 'value'),
    previous: setting(list(oneOf(ROOT_KEY_KINDS)).default([]), 'Kinds that wrapped data keys before. They still open data keys until [everything is wrapped again](guides/rotate-root-keys.md).', 'value'),
    file: setting(fileName.optional(), 'The file of a local root key, mode 0600. Not set: `root.key` in `data`.', 'value'),
    passphrase: setting(text('a passphrase of 12 to 1024 characters', (value) => value.length >= 12 && value.length <= 1_024).optional(), 'Also seals that file, 12 to 1024 characters. Best set through `KEYSPRING_ROOT_KEY_PASSPHRASE_FILE`.', 'value'),
    cacheMinutes: setting(wholeNumber(1, 1_440).default(15), 'Minutes that an open data key is used before the root key must open it again, 1 to 1440.', 'value'),
    maxStaleMinutes: setting(wholeNumber(1, 43_200).default(1_440), 'Minutes that an open data key is used while KMS or Vault is unreachable, 1 to 43200. Keyspring logs each use as an error and counts it.', 'value'),
    awsKms: group({
      keyId: setting(line.optional(), 'ID, ARN or `alias/…` of a symmetric key. The AWS SDK finds the credentials.', 'value'),
      region: setting(line.optional(), 'The region. Not set: the AWS SDK chooses it.', 'value'),
      endpoint: setting(serviceUrl.optional(), 'An endpoint other than the one of the region: https, or http on loopback.', 'value'),
      timeoutMs: setting(timeoutMs, 'How long a call to KMS may take, 100 to 60000 ms.', 'value'),
    }),
    vault: group({
      url: setting(serviceUrl.optional(), 'The URL of Vault, such as `https://vault.example.com:8200`: https, or http on loopback.', 'value'),
      key: setting(line.optional(), 'The name of a transit key of type aes256-gcm96.', 'value'),
      mount: setting(text('a path', (value) => /^[\w./-]{1,256}$/.test(value)).default('transit'), 'The mount path of the transit engine.', 'value'),
      token: setting(line.optional(), 'A token that may encrypt and decrypt with the key. Best set through `KEYSPRING_ROOT_KEY_VAULT_TOKEN_FILE`.', 'value'),
      timeoutMs: setting(timeoutMs, 'How long a call to Vault may take, 100 to 60000 ms.', 'value'),
    }),
  }),
  publicUrl: setting(url.optional(), 'The address at which players reach this server, such as `https://keys.example.com`. Key and licence URLs in answers start with it, never with a Host header. Not set: the address that Keyspring listens on.'),
  allowAnonymous: setting(yesOrNo.default(false), 'Serve callers without a credential, on any address. Every caller gets keys: use a firewall to limit who can call. Keyspring still rejects a wrong credential.'),
  trustProxy: setting(list(ipAddress).default([]), 'Addresses of proxies that may forward requests and that end TLS. Keyspring trusts their `Client-Cert` header. [The rule](#trustproxy-and-the-host-and-forwarded-rule).'),
  logRequests: setting(yesOrNo.default(false), 'Write a log line for each request. `false`: log rejected requests, failures and the first keys of a content.'),
  logLevel: setting(oneOf(['debug', 'info', 'warn', 'error', 'silent']).default('info'), '`debug`, `info`, `warn`, `error` or `silent`.', 'value'),
  limits: group({
    bodyBytes: setting(wholeNumber(1_024, 16 * 1_024 * 1_024).default(1_024 * 1_024), 'Bytes of the largest request, 1 KB to 16 MB.', 'value'),
    depth: setting(wholeNumber(8, 256).default(32), 'Depth of nested elements, 8 to 256.'),
    elements: setting(wholeNumber(16, 1_000_000).default(20_000), 'Elements of a document, 16 to 1000000.'),
    contentKeys: setting(wholeNumber(1, 4_096).default(256), 'Content keys of a request, and key periods, 1 to 4096.'),
    drmSystems: setting(wholeNumber(1, 32_768).default(2_048), '`DRMSystem` elements of a request, one for each key and system, 1 to 32768.'),
    recipients: setting(wholeNumber(1, 256).default(32), 'Recipients that keys are encrypted for, 1 to 256.'),
    connections: setting(wholeNumber(1, 1_000_000).default(10_000), 'Open connections, 1 to 1000000.', 'value'),
    cachedContents: setting(wholeNumber(100, 10_000_000).default(10_000), 'Contents whose secret stays in memory, about 1.5 KB each. Keyspring answers for them while the store is unreachable.', 'value'),
    requestsPerSocket: setting(wholeNumber(0, 1_000_000_000).default(100_000), 'Requests of one connection, 0 to 1000000000. Keyspring then closes it, so that a load balancer can distribute anew. `0`: any number.', 'value'),
    concurrentRequests: setting(wholeNumber(1, 1_000_000).default(4_000), 'Requests in progress, 1 to 1000000. A further request returns 503 with `Retry-After`. Health and metrics do not count.'),
    clientRequestsPerSecond: setting(wholeNumber(0, 1_000_000).default(1_000), 'Requests of one client per second, once clients are configured. Further requests return 429 with `Retry-After`. `0`: any number. A live encryptor that gets 429 at a rotation continues with its last key.'),
    clientBurst: setting(wholeNumber(1, 1_000_000).default(10_000), 'Requests of one client that may arrive at once, 1 to 1000000.'),
    headersTimeoutMs: setting(milliseconds(100, 600_000, 5_000), 'How long the headers of a request may take to arrive, 100 to 600000 ms.', 'value'),
    requestTimeoutMs: setting(milliseconds(100, 600_000, 10_000), 'How long a request may take to arrive, 100 to 600000 ms.', 'value'),
  }),
  speke: group({
    basePaths: setting(list(text('a path', (value) => /^[\w./~-]{1,256}$/.test(value))).default([]), 'Further paths in front of `/copyProtection` and `/heartbeat`, such as `prod/speke`. `/speke/v1.0`, `v2.0`, `v2.1` and `/EkeStage` always exist.'),
    missingVersionHeader: setting(oneOf(['refuse', 'assume-2.0']).default('refuse'), 'A SPEKE 2 document without `X-Speke-Version`: `refuse` it, or `assume-2.0` for CPIX 2.3 tools that do not send the header.'),
    strictContract: setting(yesOrNo.default(false), 'Reject `BitrateFilter` and `VideoFilter@wcg`. `false`: ignore them and return them unchanged.'),
    emptyDrmSystems: setting(oneOf(['keep', 'fill']).default('keep'), 'A `DRMSystem` without child elements: `keep` it empty, as SPEKE says, and say so in the header `X-Keyspring-Warning`; or `fill` it with all signalling of its system, for CPIX clients such as OvenMediaEngine.'),
    contract: group({
      allKey: setting(oneOf(['allow', 'refuse']).default('allow'), 'One key for all tracks (`ALL`, the SHARED presets): `allow` or `refuse`.'),
      audioWithUhd: setting(oneOf(['refuse', 'allow']).default('refuse'), 'One key for audio and UHD video in a named contract: `refuse` or `allow`.'),
    }),
    hlsAes128SystemIds: setting(list(systemId).default([]), `Further system ids that mean HLS AES-128 in SPEKE 1.0, besides \`${HLS_AES_128}\` and \`${HLS_AES_128_OF_AWS}\`.`),
  }),
  contentKeys: group({
    policy: setting(oneOf(['derived', 'random', 'derived-root']).default('derived'), '`derived`: keys derive from one secret per content. `random`: Keyspring generates and stores each key. A change between the two changes no existing key. `derived-root`: the secrets derive from `contentKeys.rootSecret`, for [two regions](guides/run-several-nodes.md#two-regions).', 'value'),
    rootSecret: setting(text('32 bytes in base64', (value) => /^[A-Za-z0-9+/]{43}=$/.test(value)).optional(), '32 bytes in base64, the same in every region. Best set through `KEYSPRING_CONTENT_KEYS_ROOT_SECRET_FILE`.', 'value'),
  }),
  contentKeyEncryption: group({
    validity: setting(oneOf(['reject', 'warn']).default('reject'), 'A certificate of a recipient that is expired or not yet valid: `reject` the request, or `warn` in the log and encrypt.'),
  }),
  ledger: group({
    retentionDays: setting(wholeNumber(1, 36_500).default(7), 'Days that the record of issued keys is kept after the last request, 1 to 36500, and longer where the content is kept longer. [Retention](#retention) says how long keys are kept.', 'value'),
  }),
  signalingProfile: setting(profileName.default('default'), 'The profile of contents that no rule of `contents` matches.'),
  signalingProfiles: setting(byName(profileName, SIGNALING_PROFILE, 'a section of profiles').default({}), '[What answers look like](#signalling-profiles), by name.'),
  contents: setting(list(section({ contentId: line, signalingProfile: profileName })).default([]), '[Which content gets which profile](#contents).'),
  drmSystems: setting(list(DRM_SYSTEM).default([]), '[DRM systems by template](#drm-systems-by-template).'),
  clients: setting(list(CLIENT).default([]), '[Who may call](#clients).'),
  auth: group({
    realm: setting(realm.default('keyspring'), 'The realm of Basic and Digest. Digest passwords are hashed for it: a change invalidates them.'),
    jwt: group({
      issuer: setting(line.optional(), '`iss` of the tokens of clients.'),
      audience: setting(line.optional(), '`aud` that the tokens must have.'),
      jwks: setting(keySet.optional(), 'The key set (JWKS) of the issuer: a file, or an `https:` URL.'),
      clientClaim: setting(line.default('sub'), 'The claim that names the client.'),
      algorithms: setting(list(oneOf(JWT_ALGORITHMS)).optional(), 'Any of RS256, PS256, ES256, ES384, EdDSA, Ed25519. Not set: all of them.'),
    }),
    gateway: group({
      secretHeader: setting(headerName.default('X-Keyspring-Gateway-Secret'), 'The header in which a gateway sends its secret.'),
      secretSha256: setting(list(sha256Hex).default([]), 'SHA-256 of the secret, in hex; two for a rotation.'),
      secretFiles: setting(list(fileName).default([]), 'Files with such secrets, 22 characters or more.'),
      certificateFingerprints: setting(list(sha256Hex).default([]), 'SHA-256 fingerprints of the certificates that the gateway connects with.'),
      arnHeader: setting(headerName.default('X-Speke-Caller-Arn'), 'The header with the ARN of the caller of the gateway.'),
      accountHeader: setting(headerName.default('X-Speke-Account'), 'The header with the account number of that caller.'),
      callers: setting(list(gatewayCaller).default([]), 'ARNs of roles and users, or account numbers, that the gateway may name. Together they are one client, `gateway`, of the tenant `default`, with the scope `keys:issue`. Configure others as [clients](#clients).'),
    }),
    sigv4: group({
      service: setting(line.default('execute-api'), 'The service that signatures must name.'),
      region: setting(line.optional(), 'The region that signatures must name. Not set: any.'),
      allowUnsignedPayload: setting(yesOrNo.default(false), 'Accept `UNSIGNED-PAYLOAD` where the header that says so is signed.'),
    }),
    digest: group({
      algorithms: setting(list(oneOf(digestAlgorithms)).min(1, { error: 'expected at least one algorithm' }).default(digestAlgorithms), 'The algorithms that Keyspring offers, the preferred one first. On-premises Elemental encoders support only MD5.'),
      nonceSeconds: setting(wholeNumber(5, 3_600).default(60), 'How long a nonce is valid, 5 to 3600 s.'),
    }),
  }),
  tls: group({
    cert: setting(fileName.optional(), 'The certificate in PEM, followed by its issuers. Not set: HTTP. SIGHUP reads the file again; to change whether Keyspring uses TLS, restart it.', 'presence'),
    key: setting(fileName.optional(), 'The private key of the certificate, in PEM.'),
    clientCa: setting(fileName.optional(), 'Issuers of client certificates, in PEM. Not set: Keyspring does not ask for client certificates. To change whether it asks, restart it.', 'presence'),
  }),
  admin: group({
    host: setting(host.default('127.0.0.1'), 'The address of the [listener for metrics and administration](#metrics).', 'value'),
    port: setting(wholeNumber(0, 65_535).optional(), 'The port of that listener; `0` chooses a free port. Not set: there is no such listener.', 'value'),
  }),
  playback: group({
    access: setting(oneOf(['open', 'off', 'jwt', 'signed-url', 'callback']).optional(), 'How players prove that they may have keys: `jwt`, `signed-url`, `callback`, `open` for every player, or `off` for no player. Not set: `open` with `allowAnonymous`, and on a [private listener](#trustproxy-and-the-host-and-forwarded-rule) until a client is configured, then `off`; elsewhere the server does not start. [More](#players).'),
    origins: setting(list(origin).default([]), 'Pages that may read keys and licences: exact origins such as `https://player.example.com`. `*`: every page, without credentials.'),
    serveDrmKeys: setting(list(text('TENANT/CONTENT_ID, in which * is any text', (value) => /^[^/]+\/./s.test(value))).default([]), 'Contents whose keys players get although DRM systems share them, as `TENANT/CONTENT_ID`, `*` for any text. For demonstrations and tests: [why](guides/play-something.md#clearkey-is-not-drm).'),
    urlQuery: setting(urlQuery.optional(), 'The text after `?` in the key and licence URLs of answers: a placeholder that your manifest service replaces with a token or a signature.'),
    token: group({
      cookie: setting(tokenName.optional(), 'A cookie that may carry the token. `Authorization: Bearer` always may.'),
      query: setting(tokenName.optional(), 'A query parameter that may carry the token.'),
    }),
    rateLimit: group({
      perSecond: setting(wholeNumber(0, 1_000_000).default(50), 'Requests of one subject per second, or of one address if there is no subject. `0`: no limit. There is no limit while access is `open` on loopback.'),
      burst: setting(wholeNumber(1, 1_000_000).default(200), 'Requests that may arrive at once, 1 to 1000000.'),
    }),
    jwt: group({
      secret: setting(playerSecretSetting, `The secret of HS256, ${MIN_SECRET_BYTES} bytes or more, one line. Tokens name it by the \`kid\` \`secret\`, or have no \`kid\`.`),
      jwks: setting(keySet.optional(), 'A key set (JWKS): a file, or an `https:` URL. EdDSA (Ed25519) and RS256; HS256 only from a file.'),
      audience: setting(line.default(PLAYER_AUDIENCE), '`aud` of every token.'),
    }),
    signedUrl: group({
      secret: setting(playerSecretSetting, `The secret that signs URLs, ${MIN_SECRET_BYTES} bytes or more; its ID is \`secret\`.`),
      keyFiles: setting(list(keyFile).default([]), 'Further such secrets, each as `ID=FILE`. Use two for a rotation.'),
    }),
    callback: group({
      url: setting(serviceUrl.optional(), 'The service that decides: https, or http on loopback.'),
      timeoutMs: setting(milliseconds(10, 30_000, 2_000), 'How long the service may take, 10 to 30000 ms. After that no key leaves.'),
      maxTtlSeconds: setting(wholeNumber(0, 86_400).default(300), 'How long a decision is used at most, 0 to 86400 s.'),
    }),
  }),
  widevine: group({
    signers: setting(list(WIDEVINE_SIGNER).default([]), '[Packagers that take keys by the Widevine key API](#widevine-signers).'),
  }),
  retention: group({
    default: setting(name64.default('forever'), 'The [retention class](#retention) of contents that no rule matches.'),
    classes: setting(byName(name64, RETENTION_CLASS, 'a section of classes').default({}), '[Retention classes](#retention) by name.'),
    contents: setting(list(section({ contentId: retentionPattern, class: name64 })).default([]), '[Which content has which class](#retention).'),
    hold: setting(list(retentionPattern).default([]), 'Patterns of contents under legal hold, `*` for any text. They do not expire and cannot be deleted.'),
    sweepMinutes: setting(wholeNumber(0, 1_440).default(5), 'Minutes between two sweeps of this node, 0 to 1440. A sweep destroys contents whose retention and grace periods are over. `0`: this node does not sweep; another node or `POST /api/sweep` must.', 'value'),
  }),
  rotation: group({
    contents: setting(list(section({ contentId: line, seconds: wholeNumber(1, 31_536_000) })).default([]), '[How often contents change their keys](#rotation).'),
    graceSeconds: setting(wholeNumber(1, 86_400).default(30), 'How late the request for the next key period may be before it counts as missed, 1 to 86400 s.', 'value'),
  }),
  audit: group({
    directory: setting(fileName.optional(), 'The directory of the audit log. Not set: `audit` in `data`; no audit log with a store in memory; the log of the function on AWS Lambda.', 'value'),
    node: setting(nodeName.optional(), 'The name of this node in the audit log, unique for each node of a store. Not set: the host name.', 'value'),
    issue: setting(oneOf(['off', 'spool', 'require']).default('spool'), 'Records of keys that encryptors get: `spool` writes them soon after, `require` before the answer leaves, `off` not at all. Records of management are always written first.'),
  }),
  events: group({
    webhook: group({
      url: setting(url.optional(), 'The receiver of [events](#events).', 'value'),
      secret: setting(webhookSecret.optional(), 'The secret that signs events, 32 characters or more. Best set through `KEYSPRING_EVENTS_WEBHOOK_SECRET_FILE`.', 'value'),
      timeoutMs: setting(milliseconds(100, 60_000, 5_000), 'How long the receiver may take, 100 to 60000 ms.', 'value'),
    }),
    eventBus: setting(text('the name or ARN of an event bus', (value) => /^[\w.:/-]{1,1600}$/.test(value)).optional(), 'The name or ARN of a bus of Amazon EventBridge. Credentials and region come from the environment: [events](guides/events.md#amazon-eventbridge).', 'value'),
    file: setting(fileName.optional(), 'A file that Keyspring appends events to, one per line.', 'value'),
    types: setting(list(oneOf(EVENT_TYPES)).default([...EVENT_TYPES]), 'The events to send.', 'value'),
    deadLetterFile: setting(fileName.optional(), 'A file for events that no receiver accepted. Not set: `dead-events.jsonl` in `data`.', 'value'),
  }),
  api: group({
    enabled: setting(yesOrNo.default(true), 'Serve the [management API](guides/management-api.md).'),
    importKeyFile: setting(fileName.optional(), 'A private key in PEM with its certificate. Others encrypt the keys that they send you for this certificate.'),
    createdStatus: setting(wholeNumber(200, 201).default(200), 'The status of a `POST /copyProtectionData/{contentId}` that created a document: 200, because some clients accept no other status, or 201.'),
  }),
}
export type SectionName = keyof typeof SECTIONS
