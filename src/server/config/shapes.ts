import { z } from 'zod'
import { SCOPES } from '../../auth/clients/client.ts'
import type { CredentialMethod } from '../../auth/credentials/credential.ts'
import type { CredentialField } from '../../auth/methods/definition.ts'
import { AUTH_METHODS, CREDENTIAL_METHODS } from '../../auth/methods/methods.ts'
import { COMMON_ENCRYPTION_SCHEMES } from '../../formats/cenc.ts'
import {
  byName,
  duration,
  fileName,
  group,
  line,
  list,
  moment,
  name64,
  oneOf,
  profileName,
  section,
  sha256Hex,
  systemId,
  text,
  tokenName,
  url,
  yesOrNo,
} from './fields.ts'

// The sections that only the file can hold, because they repeat: docs/config.md describes each in a table of its own.

const templateText = text('text of at most 64 KB', (value) => value.length <= 65_536)
const byTrackType = <T extends z.ZodType>(value: T) => byName(line, value)

/** One signalling profile. A member that is left out is as in the shipped profile of its name, or in `default`. */
export const SIGNALING_PROFILE = section({
  widevine: section({
    provider: line,
    contentId: yesOrNo,
    policy: line,
    cryptoPeriodIndex: yesOrNo,
    hlsKeyId: yesOrNo,
    dashLaUrl: url,
  }).partial(),
  playready: section({
    laUrl: url,
    luiUrl: url,
    customAttributes: templateText,
    kids: oneOf(['own', 'document']),
    dashLaUrl: url,
  }).partial(),
  fairplay: section({ skd: line }).partial(),
  hls: section({ cencMethod: oneOf(['SAMPLE-AES-CTR', 'SAMPLE-AES']), identityIv: yesOrNo }).partial(),
  explicitIv: oneOf(['by-scheme', 'always']),
  v1: section({ scheme: oneOf(['cenc', 'cbcs']) }).partial(),
  hdcp: byTrackType(section({ level: line, version: line }).partial()),
  robustness: byName(line, byTrackType(line)),
  allowedCpc: byName(line, line),
}).partial()
export type WrittenSignalingProfile = z.infer<typeof SIGNALING_PROFILE>

/** A DRM system by template; `formats/drm/template` checks what the members say. */
export const DRM_SYSTEM = section({
  name: line,
  systemId,
  commonEncryptionSchemes: list(oneOf(COMMON_ENCRYPTION_SCHEMES)).min(1, { error: 'expected at least one scheme' }),
  contentKeyClass: oneOf(['clear', 'drm']).optional(),
  spekeMajors: list(z.literal([1, 2], { error: 'expected 1 or 2' })).optional(),
  psshSystemId: systemId.optional(),
  psshData: section({
    template: templateText,
    syntax: oneOf(['text', 'json', 'xml']).optional(),
    encoding: oneOf(['utf8', 'base64url', 'hex', 'base64', 'irdeto']),
  }).optional(),
  contentProtectionData: templateText.optional(),
  hlsAttributes: byName(line, line, 'attributes, each with its value').optional(),
})

const validity = { notBefore: moment.optional(), notAfter: moment.optional() }
const signerFiles = {
  aesKeyFile: fileName.optional(),
  aesIvFile: fileName.optional(),
  rsaPublicKeyFile: fileName.optional(),
}

/** A credential of one method: its own fields and its validity. */
function credentialOf(fields: Readonly<Record<string, CredentialField>>) {
  const shape = Object.entries(fields).map(([name, { expected, fits, isOptional }]) => {
    // The name of a file starts at the directory of the configuration file.
    const field = name.endsWith('File') ? fileName : text(expected, fits)
    return [name, isOptional === true ? field.optional() : field] as const
  })
  return section({ ...Object.fromEntries(shape), ...validity }) as z.ZodType<Record<string, string | undefined>>
}

/** The credentials of a client, by method. A secret is a hash, or is in a file of its own. */
const CREDENTIALS = group(
  Object.fromEntries(
    CREDENTIAL_METHODS.map((method) => [method, list(credentialOf(AUTH_METHODS[method].fields)).default([])]),
  ) as Readonly<Record<CredentialMethod, z.ZodDefault<z.ZodArray<ReturnType<typeof credentialOf>>>>>,
)

export const CLIENT = section({
  name: name64,
  tenant: name64.default('default'),
  scopes: list(oneOf(SCOPES)).default(['keys:issue']),
  contentIds: list(line).optional(),
  recipientFingerprints: list(sha256Hex).optional(),
  signalingProfile: profileName.optional(),
  credentials: CREDENTIALS,
})
export type WrittenClient = z.infer<typeof CLIENT>

/** A packager that takes keys by the Widevine key API. */
export const WIDEVINE_SIGNER = section({
  name: tokenName,
  tenant: line.default('default'),
  contentIds: list(line).default(['*']),
  ...signerFiles,
})
export type WrittenSigner = z.infer<typeof WIDEVINE_SIGNER>

export const RETENTION_CLASS = section({
  keep: duration,
  grace: duration.default('1d'),
  afterwards: oneOf(['gone', 'regenerate']).default('gone'),
})
