import { KeyProviderError } from '../../core/errors.ts'
import { type SystemId, systemIdOf } from '../../formats/cenc.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import { isLoopbackAddress } from '../../http/listener/loopback.ts'
import { parseDuration } from '../../operations/lifetime/retention.ts'
import type { SignalingProfile } from '../../protocols/speke/profile.ts'
import {
  type AdminSettings,
  type Auth,
  gatewayClients,
  mayHoldClients,
  NO_CALLERS,
  reportUncheckable,
  type TlsSettings,
  toAdmin,
  toAuth,
  toTls,
} from './caller-config.ts'
import { toDrmSystems } from './drm-systems.ts'
import {
  type ApiSettings,
  type AuditSettings,
  type EventsSettings,
  toApi,
  toAudit,
  toEvents,
} from './operations-config.ts'
import { type Playback, toPlayback } from './playback-config.ts'
import { type ContentRule, toProfiles } from './profiles.ts'
import { type Retention, toRetention } from './retention-config.ts'
import { readSection, SECTIONS, type SectionName, type Sections } from './schema.ts'
import { type ConfigSources, gatherSettings } from './sources.ts'
import { type KeysAtRest, toKeysAtRest } from './store-config.ts'
import { type Signer, toSigners } from './widevine-signers.ts'

/** Everything that can be set, checked and frozen. @see docs/config.md */
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
  /** The systems that answers can signal: those of this build, those described, and the other ids of HLS AES-128. */
  readonly drmSystems: ReadonlyMap<SystemId, DrmSystem>
  readonly signalingProfiles: ReadonlyMap<string, SignalingProfile>
  readonly contents: readonly ContentRule[]
  readonly auth: Auth
  /** Undefined: HTTP without TLS. */
  readonly tls: TlsSettings | undefined
  /** Undefined: no listener of its own. */
  readonly admin: AdminSettings | undefined
  readonly playback: Playback
  readonly widevine: { readonly signers: readonly Signer[] }
  readonly retention: Retention
  readonly audit: AuditSettings
  readonly events: EventsSettings
  readonly api: ApiSettings
  /** Without a trailing slash; undefined: the address that is listened on, which only the listener knows. */
  readonly publicUrl: string | undefined
  /** Whether only this machine can reach the address that is listened on. */
  readonly loopback: boolean
  /** The file that was read, if any. */
  readonly file: string | undefined
}

/**
 * Reads the configuration and reports every problem together, by the name it has where it was given and never by its
 * value: a value may be a secret.
 */
export function readConfig(sources: ConfigSources): Config {
  const { tree, names, file, problems: unread } = gatherSettings(sources)
  const problems = [...unread]
  const report = (path: string, problem: string): void => {
    problems.push(`${nameOf(path, names)}: ${problem}`)
  }

  const section = <Name extends SectionName>(name: Name): Sections[Name] => {
    const { value, problems: found } = readSection(name, tree[name])
    for (const { path, problem } of found) report(path, problem)
    return value
  }
  for (const name of Object.keys(tree)) if (!Object.hasOwn(SECTIONS, name)) report(name, 'unknown setting')

  const { hlsAes128SystemIds, ...speke } = section('speke')
  const written = section('signalingProfiles')
  const drmSystems = toDrmSystems(section('drmSystems'), hlsAes128SystemIds.map(systemIdOf), report)
  const host = section('host')
  const isFunction = sources.runsAs === 'function'
  const loopback = isLoopbackAddress(host) && !isFunction
  const allowAnonymous = section('allowAnonymous')
  const openUnsaid = loopback || allowAnonymous || sources.serves === false
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
    publicUrl: section('publicUrl')?.replace(/\/+$/, ''),
    allowAnonymous,
    trustProxy: section('trustProxy'),
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
    playback: toPlayback(section('playback'), openUnsaid, report),
    widevine: { signers: toSigners(section('widevine').signers, report) },
    retention: toRetention(section('retention'), keysAtRest.contentKeys.policy, report),
    rotation: section('rotation'),
    audit: toAudit(section('audit'), { store: keysAtRest.store, isFunction }, report),
    events: toEvents(section('events'), report),
    api: toApi(section('api'), report),
    loopback,
    file,
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
  if (config.store === 'dynamodb') reportErased(config, report)
  if (sources.serves !== false && !config.loopback) {
    // Whether the store holds clients is seen when it is open.
    if (!config.allowAnonymous && config.clients.length === 0 && !mayHoldClients(config)) report('host', NO_CALLERS)
    if (tree.publicUrl === undefined && !isFunction) {
      report('publicUrl', 'is not set: key URLs in answers need the address that players reach this server by')
    }
  }

  if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', problems.join('\n'))
  return deepFreeze(config)
}

/** What a function keeps on its own is lost with its instance, and each instance has its own. */
function reportFleeting({ store, rootKey }: Config, report: (path: string, problem: string) => void): void {
  if (store === 'sqlite' || store === 'memory') {
    report('store', 'expected dynamodb or a postgres:// URL: what a function keeps itself is lost with its instance')
  }
  if (rootKey.kind === 'local' && rootKey.file === undefined) {
    report('rootKey.kind', 'expected aws-kms or vault: a root key that a function makes is lost with its instance')
  }
}

/** DynamoDB erases by itself: nothing whose grace is not over. */
function reportErased({ dynamodb, retention }: Config, report: (path: string, problem: string) => void): void {
  for (const [name, { grace }] of Object.entries(retention.classes)) {
    if ((parseDuration(grace) ?? 0) < dynamodb.eraseAfterDays * DAY_MS) continue
    const problem = `retention.classes.${name}.grace is not shorter: contents would be erased before their grace is over`
    report('dynamodb.eraseAfterDays', problem)
  }
}

const DAY_MS = 86_400_000

/** What the setting at `path`, or the list it is in, was called where it was given. */
function nameOf(path: string, names: ReadonlyMap<string, string>): string {
  return names.get(path) ?? names.get(path.replace(/\.\d+$/, '')) ?? path
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const member of value instanceof Map ? value.values() : Object.values(value)) deepFreeze(member)
  return value
}
