import { SCOPES } from '../../auth/clients/client.ts'
import { isPasswordHash } from '../../auth/methods/basic.ts'
import { DIGEST_ALGORITHMS, type DigestAlgorithm } from '../../auth/methods/digest-secret.ts'
import { fileName, host, line, list, oneOf, profileName, section, text, wholeNumber, yesOrNo } from './fields.ts'

const hex256 = text('a SHA-256 in hex', (value) => /^(?:[\da-f]{2}:?){32}$/i.test(value))
const id = text('1 to 128 letters, digits, dots, dashes, underscores or @', (value) => /^[\w.@-]{1,128}$/.test(value))
const passwordHash = text('a hash as keyspring client add --print gives it', isPasswordHash)
const moment = text('a time such as 2027-01-31T00:00:00Z', (value) => !Number.isNaN(Date.parse(value)))
const headerName = text('the name of a header', (value) => /^[A-Za-z0-9-]{1,64}$/.test(value))
const tenant = text('a name of 1 to 64 letters, digits, dots, dashes or underscores', (value) =>
  /^[\w.-]{1,64}$/.test(value),
)
/** Names that stand in the log and in Authorization headers. */
const clientName = text('a name of 1 to 64 letters, digits, dots, dashes or underscores', (value) =>
  /^[\w.-]{1,64}$/.test(value),
)
const gatewayCaller = text('an account number, or the ARN of a user or role', (value) =>
  /^(\d{12}|arn:[^\s]+)$/.test(value),
)
const validity = { notBefore: moment.optional(), notAfter: moment.optional() }

/** What a client proves itself by, by method. A secret is a hash, or stands in a file of its own. */
const CREDENTIALS = section({
  token: list(
    section({ id: id.optional(), sha256: hex256.optional(), tokenFile: fileName.optional(), ...validity }),
  ).default([]),
  basic: list(
    section({ user: id, passwordHash: passwordHash.optional(), passwordFile: fileName.optional(), ...validity }),
  ).default([]),
  digest: list(section({ user: id, passwordFile: fileName, ...validity })).default([]),
  sigv4: list(section({ accessKeyId: id, secretAccessKeyFile: fileName, ...validity })).default([]),
  jwt: list(section({ subject: line, ...validity })).default([]),
  certificate: list(section({ fingerprint: hex256.optional(), name: line.optional(), ...validity })).default([]),
  gateway: list(section({ caller: gatewayCaller, ...validity })).default([]),
  signer: list(
    section({
      name: id,
      aesKeyFile: fileName.optional(),
      aesIvFile: fileName.optional(),
      rsaPublicKeyFile: fileName.optional(),
      ...validity,
    }),
  ).default([]),
}).prefault({})

/** Who may call. */
export const CLIENTS = list(
  section({
    name: clientName,
    tenant: tenant.default('default'),
    scopes: list(oneOf(SCOPES)).default(['keys:issue']),
    contentIds: list(line).optional(),
    recipientFingerprints: list(hex256).optional(),
    signalingProfile: profileName.optional(),
    credentials: CREDENTIALS,
  }),
).default([])

const algorithms = Object.keys(DIGEST_ALGORITHMS) as [DigestAlgorithm, ...DigestAlgorithm[]]

/** How callers prove who they are. */
export const AUTH = section({
  realm: text('1 to 64 printable ASCII characters without quotes and backslashes', (value) =>
    /^[ !#-[\]-~]{1,64}$/.test(value),
  ).default('keyspring'),
  jwt: section({
    issuer: line.optional(),
    audience: line.optional(),
    jwks: text(
      'the path of a JWKS file or its https URL',
      (value) => value.length > 0 && !value.includes('\0'),
    ).optional(),
    clientClaim: line.default('sub'),
    algorithms: list(oneOf(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'])).optional(),
  }).prefault({}),
  gateway: section({
    secretHeader: headerName.default('X-Keyspring-Gateway-Secret'),
    secretSha256: list(hex256).default([]),
    secretFiles: list(fileName).default([]),
    certificateFingerprints: list(hex256).default([]),
    arnHeader: headerName.default('X-Speke-Caller-Arn'),
    accountHeader: headerName.default('X-Speke-Account'),
    callers: list(gatewayCaller).default([]),
  }).prefault({}),
  sigv4: section({
    service: line.default('execute-api'),
    region: line.optional(),
    allowUnsignedPayload: yesOrNo.default(false),
  }).prefault({}),
  digest: section({
    algorithms: list(oneOf(algorithms)).min(1, { error: 'expected at least one algorithm' }).default(algorithms),
    nonceSeconds: wholeNumber(5, 3_600).default(60),
  }).prefault({}),
}).prefault({})

/** The certificate of the listener and the issuers of those of clients. */
export const TLS = section({
  cert: fileName.optional(),
  key: fileName.optional(),
  clientCa: fileName.optional(),
}).prefault({})

/** A listener for metrics and administration. */
export const ADMIN = section({
  host: host.default('127.0.0.1'),
  port: wholeNumber(0, 65_535).optional(),
}).prefault({})
