import { z } from 'zod'
import { COMMON_ENCRYPTION_SCHEMES, toSystemId } from '../../formats/cenc.ts'
import { API } from './api-settings.ts'
import { AUDIT } from './audit-settings.ts'
import { ADMIN, AUTH, CLIENTS, TLS } from './caller-settings.ts'
import { EVENTS } from './events-settings.ts'
import { fileName, host, line, list, oneOf, profileName, section, text, url, wholeNumber, yesOrNo } from './fields.ts'
import { PLAYBACK, WIDEVINE } from './playback-settings.ts'
import { RETENTION, ROTATION } from './retention-settings.ts'
import { CONTENT_KEYS, DYNAMODB, POSTGRES, ROOT_KEY, STORE } from './store-settings.ts'

const systemId = text('a DRM system id, a UUID', (value) => toSystemId(value) !== undefined)
const templateText = text('text of at most 64 KB', (value) => value.length <= 65_536)
const byTrackType = <T extends z.ZodType>(setting: T) =>
  z.record(line, setting, { error: 'expected a section of settings' })

/** One signalling profile as it is written: whatever is left out is as in the shipped profile of its name, or `default`. */
export const SIGNALING_PROFILE = section({
  widevine: section({ provider: line, contentId: yesOrNo, policy: line }).partial(),
  playready: section({
    laUrl: url,
    luiUrl: url,
    customAttributes: templateText,
    kids: oneOf(['own', 'document']),
  }).partial(),
  fairplay: section({ skd: line }).partial(),
  hls: section({ cencMethod: oneOf(['SAMPLE-AES-CTR', 'SAMPLE-AES']) }).partial(),
  explicitIv: oneOf(['by-scheme', 'always']),
  v1: section({ scheme: oneOf(['cenc', 'cbcs']) }).partial(),
  hdcp: byTrackType(section({ level: line, version: line }).partial()),
  robustness: z.record(line, byTrackType(line), { error: 'expected a section of settings' }),
  allowedCpc: z.record(line, line, { error: 'expected a section of settings' }),
}).partial()
export type WrittenSignalingProfile = z.infer<typeof SIGNALING_PROFILE>

/** As `drm/template-system.ts` reads it, which checks what the members say. */
const DRM_SYSTEM = section({
  name: line,
  systemId,
  commonEncryptionSchemes: list(oneOf(COMMON_ENCRYPTION_SCHEMES)).min(1, { error: 'expected at least one scheme' }),
  contentKeyClass: oneOf(['clear', 'drm']).optional(),
  spekeMajors: list(z.literal([1, 2], { error: 'expected 1 or 2' })).optional(),
  psshSystemId: systemId.optional(),
  psshData: section({
    template: templateText,
    syntax: oneOf(['text', 'json', 'xml']).optional(),
    encoding: oneOf(['utf8', 'base64url', 'hex', 'base64']),
  }).optional(),
  contentProtectionData: templateText.optional(),
  hlsAttributes: z.record(line, line, { error: 'expected attributes, each with its value' }).optional(),
})

/** The sections of the configuration, each with its default. */
export const SECTIONS = {
  host: host.default('127.0.0.1'),
  port: wholeNumber(0, 65_535).default(8_080),
  data: fileName.default('./data'),
  store: STORE,
  postgres: POSTGRES,
  dynamodb: DYNAMODB,
  rootKey: ROOT_KEY,
  publicUrl: url.optional(),
  allowAnonymous: yesOrNo.default(false),
  trustProxy: list(text('an IP address', (value) => /^[\da-f.:]{2,45}$/i.test(value))).default([]),
  logRequests: yesOrNo.default(false),
  logLevel: oneOf(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  limits: section({
    bodyBytes: wholeNumber(1_024, 16 * 1_024 * 1_024).default(1_024 * 1_024),
    depth: wholeNumber(8, 256).default(32),
    elements: wholeNumber(16, 1_000_000).default(20_000),
    contentKeys: wholeNumber(1, 4_096).default(256),
    drmSystems: wholeNumber(1, 32_768).default(2_048),
    recipients: wholeNumber(1, 256).default(32),
    connections: wholeNumber(1, 1_000_000).default(10_000),
    requestsPerSocket: wholeNumber(0, 1_000_000_000).default(100_000),
    concurrentRequests: wholeNumber(1, 1_000_000).default(4_000),
    clientRequestsPerSecond: wholeNumber(0, 1_000_000).default(1_000),
    clientBurst: wholeNumber(1, 1_000_000).default(10_000),
    cachedContents: wholeNumber(100, 10_000_000).default(10_000),
    headersTimeoutMs: wholeNumber(100, 600_000).default(5_000),
    requestTimeoutMs: wholeNumber(100, 600_000).default(10_000),
  }).prefault({}),
  speke: section({
    basePaths: list(text('a path', (value) => /^[\w./~-]{1,256}$/.test(value))).default([]),
    missingVersionHeader: oneOf(['refuse', 'assume-2.0']).default('refuse'),
    strictContract: yesOrNo.default(false),
    contract: section({
      allKey: oneOf(['allow', 'refuse']).default('allow'),
      audioWithUhd: oneOf(['refuse', 'allow']).default('refuse'),
    }).prefault({}),
    hlsAes128SystemIds: list(systemId).default([]),
  }).prefault({}),
  contentKeys: CONTENT_KEYS,
  contentKeyEncryption: section({ validity: oneOf(['reject', 'warn']).default('reject') }).prefault({}),
  ledger: section({ retentionDays: wholeNumber(1, 36_500).default(7) }).prefault({}),
  signalingProfile: profileName.default('default'),
  signalingProfiles: z.record(profileName, SIGNALING_PROFILE, { error: 'expected a section of profiles' }).default({}),
  contents: list(section({ contentId: line, signalingProfile: profileName })).default([]),
  drmSystems: list(DRM_SYSTEM).default([]),
  clients: CLIENTS,
  auth: AUTH,
  tls: TLS,
  admin: ADMIN,
  playback: PLAYBACK,
  widevine: WIDEVINE,
  retention: RETENTION,
  rotation: ROTATION,
  audit: AUDIT,
  events: EVENTS,
  api: API,
}
export type SectionName = keyof typeof SECTIONS
export type Sections = { readonly [Name in SectionName]: z.infer<(typeof SECTIONS)[Name]> }

/** What is wrong with one section, as `path: problem` without any value. */
export interface SchemaProblem {
  readonly path: string
  readonly problem: string
}

/** The section, or its default and what is wrong with it. */
export function readSection<Name extends SectionName>(
  name: Name,
  raw: unknown,
): { readonly value: Sections[Name]; readonly problems: readonly SchemaProblem[] } {
  const schema: z.ZodType = SECTIONS[name]
  const result = schema.safeParse(raw)
  if (result.success) return { value: result.data as Sections[Name], problems: [] }
  return {
    value: schema.parse(undefined) as Sections[Name],
    problems: result.error.issues.flatMap((issue) => problemsOf(name, issue)),
  }
}

function problemsOf(name: string, issue: z.core.$ZodIssue): readonly SchemaProblem[] {
  const path = [name, ...issue.path.map(String)].join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: `${path}.${key}`, problem: 'unknown setting' }))
  }
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => ({ path, problem: `name: ${message}` }))
  return [{ path, problem: issue.message }]
}
