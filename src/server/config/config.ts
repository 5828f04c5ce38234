import { KeyProviderError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import { type SystemId, systemIdOf } from '../../formats/cenc.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import { isLoopbackAddress } from '../../http/listener/private-listener.ts'
import { parseDuration } from '../../operations/lifetime/retention.ts'
import type { SignalingProfile } from '../../protocols/speke/profile.ts'
import { unprotectedAwsEndpoints } from '../delivery/post.ts'
import {
  type AdminSettings,
  type Auth,
  gatewayClients,
  isPrivateListener,
  mayHoldClients,
  NO_CALLERS,
  reportUncheckable,
  toAdmin,
  toAuth,
  toTls,
} from './callers.ts'
import type { ReportProblem } from './fields.ts'
import type { TlsSettings } from './files.ts'
import { type KeysAtRest, toKeysAtRest } from './keys-at-rest.ts'
import {
  type ApiSettings,
  type AuditSettings,
  type EventsSettings,
  type Retention,
  toApi,
  toAudit,
  toEvents,
  toRetention,
} from './operations.ts'
import { type Playback, toPlayback } from './playback.ts'
import { ALL_SETTINGS, readSection, type Sections, unknownSetting } from './setting-list.ts'
import { SECTIONS, type SectionName } from './settings.ts'
import { type ContentRule, toDrmSystems, toProfiles } from './signalling.ts'
import { type Signer, toSigners } from './signers.ts'
import { type ConfigSources, gatherSettings } from './sources.ts'

/** The whole configuration, checked and frozen. docs/config.md describes each setting. */
export interface Config
  extends KeysAtRest,
    Readonly<
      Omit<
        Sections,
        | 'signalingProfiles'
        | 'contents'
        | 'speke'
        | 'drmSystems'
        | 'playback'
        | 'widevine'
        | 'auth'
        | 'tls'
        | 'admin'
        | 'retention'
        | 'audit'
        | 'events'
        | 'api'
        | keyof KeysAtRest
      >
    > {
  readonly speke: Readonly<Omit<Sections['speke'], 'hlsAes128SystemIds'>>
  /** The DRM systems that answers can signal: built in, by template, and the further IDs of HLS AES-128. */
  readonly drmSystems: ReadonlyMap<SystemId, DrmSystem>
  readonly signalingProfiles: ReadonlyMap<string, SignalingProfile>
  readonly contents: readonly ContentRule[]
  readonly auth: Auth
  /** Undefined: HTTP without TLS. */
  readonly tls: TlsSettings | undefined
  /** Undefined: there is no second listener. */
  readonly admin: AdminSettings | undefined
  readonly playback: Playback
  readonly widevine: { readonly signers: readonly Signer[] }
  readonly retention: Retention
  readonly audit: AuditSettings
  readonly events: EventsSettings
  readonly api: ApiSettings
  /** Without a trailing slash; undefined: the address of the listener. */
  readonly publicUrl: string | undefined
  /** Whether `host` is a loopback address. */
  readonly loopback: boolean
  /** Undefined: a server with a listener. */
  readonly runsAs: 'function' | undefined
  /** Whether, by the configuration, only programs on this machine reach the listener. */
  readonly isPrivate: boolean
  /** The file that was read, if any. */
  readonly file: string | undefined
  /** The settings that only a restart changes, by their path. Some are secrets: compare them, never print them. */
  readonly fixedAtStart: Secret<ReadonlyMap<string, string>>
}

/**
 * Reads the configuration. Throws ERR_CONFIG_INVALID with every problem, each with the name of the setting in its source
 * and never with its value: a value may be a secret.
 */
export function readConfig(sources: ConfigSources): Config {
  const { tree, names, file, problems: unread } = gatherSettings(sources)
  const problems = [...unread]
  const report: ReportProblem = (path, problem) => {
    problems.push(`${nameOf(path, names)}: ${problem}`)
  }

  const section = <Name extends SectionName>(name: Name): Sections[Name] => {
    const { value, problems: found } = readSection(name, tree[name])
    for (const { path, problem } of found) report(path, problem)
    sections[name] = value
    return value
  }
  const sections: Record<string, unknown> = {}
  for (const name of Object.keys(tree)) {
    if (!Object.hasOwn(SECTIONS, name)) report(name, unknownSetting(name).problem)
  }

  const { hlsAes128SystemIds, ...speke } = section('speke')
  const written = section('signalingProfiles')
  const drmSystems = toDrmSystems(section('drmSystems'), hlsAes128SystemIds.map(systemIdOf), report)
  const host = section('host')
  const isFunction = sources.runsAs === 'function'
  const loopback = isLoopbackAddress(host) && !isFunction
  const allowAnonymous = section('allowAnonymous')
  const trustProxy = section('trustProxy')
  const publicUrl = section('publicUrl')?.replace(/\/+$/, '')
  const isPrivate = isPrivateListener({ host, trustProxy, publicUrl, runsAs: sources.runsAs })
  const isOpenByDefault = isPrivate || allowAnonymous || sources.serves === false
  const keysAtRest = toKeysAtRest(
    {
      store: section('store'),
      postgres: section('postgres'),
      dynamodb: section('dynamodb'),
      rootKey: section('rootKey'),
      contentKeys: section('contentKeys'),
    },
    report,
  )
  const auth = toAuth(section('auth'), report)
  const config: Config = {
    host,
    port: section('port'),
    data: section('data'),
    ...keysAtRest,
    publicUrl,
    allowAnonymous,
    trustProxy,
    logRequests: section('logRequests'),
    logLevel: section('logLevel'),
    limits: section('limits'),
    speke,
    contentKeyEncryption: section('contentKeyEncryption'),
    ledger: section('ledger'),
    signalingProfile: section('signalingProfile'),
    signalingProfiles: toProfiles(written, [...drmSystems.values()], report),
    contents: section('contents'),
    drmSystems,
    clients: [...section('clients'), ...gatewayClients(auth)],
    auth,
    tls: toTls(section('tls'), report),
    admin: toAdmin(section('admin')),
    playback: toPlayback(section('playback'), isOpenByDefault, report),
    widevine: { signers: toSigners(section('widevine').signers, report) },
    retention: toRetention(section('retention'), keysAtRest.contentKeys.policy, report),
    rotation: section('rotation'),
    audit: toAudit(section('audit'), { store: keysAtRest.store, isFunction }, report),
    events: toEvents(section('events'), report),
    api: toApi(section('api'), report),
    loopback,
    runsAs: sources.runsAs,
    isPrivate,
    file,
    fixedAtStart: new Secret(fixedIn(sections)),
  }

  const profileNames = new Set([...config.signalingProfiles.keys(), ...Object.keys(Object(tree.signalingProfiles))])
  const requireProfile = (path: string, name: string): void => {
    if (!profileNames.has(name)) report(path, 'no signalling profile has this name')
  }
  requireProfile('signalingProfile', config.signalingProfile)
  for (const [i, rule] of config.contents.entries())
    requireProfile(`contents.${i}.signalingProfile`, rule.signalingProfile)
  for (const [i, { signalingProfile }] of config.clients.entries()) {
    if (signalingProfile !== undefined) requireProfile(`clients.${i}.signalingProfile`, signalingProfile)
  }
  reportUncheckable(config, isFunction, report)
  if (isFunction) reportFleeting(config, report)
  if (config.store === 'dynamodb' || [config.rootKey.kind, ...config.rootKey.previous].includes('aws-kms')) {
    for (const name of unprotectedAwsEndpoints(sources.environment)) {
      report(name, 'expected an https URL, or an http URL of a loopback address')
    }
  }
  if (config.store === 'dynamodb') reportErased(config, report)
  if (sources.serves !== false) {
    const hasCallers = config.allowAnonymous || config.clients.length > 0 || mayHoldClients(config)
    if (!isPrivate && !hasCallers) report('host', NO_CALLERS)
    if (!loopback && tree.publicUrl === undefined && !isFunction) {
      report('publicUrl', 'is not set: key URLs in answers need the address at which players reach this server')
    }
  }

  if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', problems.join('\n'))
  return deepFreeze(config)
}

/** The files and memory of a function are lost with its instance. */
function reportFleeting({ store, rootKey }: Config, report: ReportProblem): void {
  if (store === 'sqlite' || store === 'memory') {
    report('store', 'expected dynamodb or a postgres:// URL: the files of a function are lost with its instance')
  }
  if (rootKey.kind === 'local' && rootKey.file === undefined) {
    report('rootKey.kind', 'expected aws-kms or vault: a root key file of a function is lost with its instance')
  }
}

/** DynamoDB erases content on its own: never before its grace period is over. */
function reportErased({ dynamodb, retention }: Config, report: ReportProblem): void {
  for (const [name, { grace }] of Object.entries(retention.classes)) {
    if ((parseDuration(grace) ?? 0) < dynamodb.eraseAfterDays * DAY_MS) continue
    const problem = `retention.classes.${name}.grace is not shorter: DynamoDB would erase contents during their grace period`
    report('dynamodb.eraseAfterDays', problem)
  }
}

const DAY_MS = 86_400_000

/** The name of the setting at `path`, or of its list, in its source. */
function nameOf(path: string, names: ReadonlyMap<string, string>): string {
  return names.get(path) ?? names.get(path.replace(/\.\d+$/, '')) ?? path
}

/** The values of the settings that only a restart changes, as text to compare. */
function fixedIn(sections: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  const fixed = ALL_SETTINGS.flatMap(({ path, restart }): readonly [string, string][] => {
    if (restart === undefined) return []
    const value = path.split('.').reduce((place: unknown, step) => Object(place)[step], sections)
    return [[path, restart === 'presence' ? String(value !== undefined) : (JSON.stringify(value) ?? '')]]
  })
  return new Map(fixed)
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const member of value instanceof Map ? value.values() : Object.values(value)) deepFreeze(member)
  return value
}
