import { createPrivateKey, X509Certificate } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { KeyProviderError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import { readWebhookSecret } from '../../operations/events/deliver.ts'
import type { ImportKey } from '../../operations/import/draft.ts'
import { parseDuration, type RetentionSettings, retentionProblems } from '../../operations/lifetime/retention.ts'
import type { EventType } from '../../operations/ports/events.ts'
import { webhookUrlProblem } from '../delivery/post.ts'
import type { ReportProblem } from './fields.ts'
import { readText } from './files.ts'
import type { KeysAtRest } from './keys-at-rest.ts'
import type { Sections } from './setting-list.ts'

/** The audit log. */
export interface AuditSettings {
  /** Undefined: `audit` in `data`, if files there last. */
  readonly directory: string | undefined
  /** False beside a store in memory, and in a function, whose files end with its instance. */
  readonly lasts: boolean
  readonly node: string
  /** When records of issued keys are written. */
  readonly issue: Sections['audit']['issue']
}

/** The receivers of events. */
export interface EventsSettings {
  readonly webhook: { readonly url: string; readonly secret: Secret<string>; readonly timeoutMs: number } | undefined
  readonly eventBus: string | undefined
  readonly file: string | undefined
  readonly types: readonly EventType[]
  readonly deadLetterFile: string | undefined
}

export function toAudit(
  { directory, node, issue }: Sections['audit'],
  { store, isFunction }: { readonly store: KeysAtRest['store']; readonly isFunction: boolean },
  report: ReportProblem,
): AuditSettings {
  const lasts = store !== 'memory' && !isFunction
  if (directory === undefined && store === 'memory' && issue === 'require') {
    report('audit.directory', 'is not set: audit.issue require needs it with a store in memory')
  }
  return { directory, lasts, node: node ?? nodeOf(hostname()), issue }
}

/** The directory of the audit log; undefined if there is no audit log in files. */
export function auditDirectoryOf({
  audit,
  data,
}: {
  readonly audit: AuditSettings
  readonly data: string
}): string | undefined {
  return audit.directory ?? (audit.lasts ? join(data, 'audit') : undefined)
}

/** A host name, reduced to what the name of a file can hold. */
function nodeOf(name: string): string {
  const fit = name
    .replaceAll(/[^\w.-]/g, '-')
    .replace(/^\.+/, '')
    .slice(0, 60)
  return fit === '' ? 'node' : fit
}

export function toEvents(written: Sections['events'], report: ReportProblem): EventsSettings {
  const { webhook, eventBus, file, types, deadLetterFile } = written
  const { url, secret, timeoutMs } = webhook
  if (url !== undefined && secret === undefined) {
    report('events.webhook.secret', 'is not set: the receiver needs it to verify events')
  }
  if (url === undefined && secret !== undefined)
    report('events.webhook.url', 'is not set: there is no receiver for events')
  const problem = url === undefined ? undefined : webhookUrlProblem(url)
  if (problem !== undefined) report('events.webhook.url', problem)
  if (secret !== undefined && !isWebhookSecret(secret)) {
    report('events.webhook.secret', 'expected base64 of 24 bytes or more after whsec_')
  }
  return {
    webhook: url === undefined || secret === undefined ? undefined : { url, secret: new Secret(secret), timeoutMs },
    eventBus,
    file,
    types,
    deadLetterFile,
  }
}

function isWebhookSecret(secret: string): boolean {
  try {
    readWebhookSecret(secret)
    return true
  } catch (error) {
    if (!(error instanceof KeyProviderError && error.code === 'ERR_CONFIG_INVALID')) throw error
    return false
  }
}

/** The management API. */
export interface ApiSettings {
  readonly enabled: boolean
  /** Decrypts keys that others encrypted for this server; undefined: Keyspring imports only keys in the clear. */
  readonly importKey: Secret<ImportKey> | undefined
  /** The status of a POST that created a CPIX document: 200 or 201. */
  readonly createdStatus: number
}

export function toApi({ enabled, importKeyFile, createdStatus }: Sections['api'], report: ReportProblem): ApiSettings {
  const pem = importKeyFile === undefined ? undefined : readText('api.importKeyFile', importKeyFile, report)
  return { enabled, createdStatus, importKey: pem === undefined ? undefined : toImportKey(pem, report) }
}

function toImportKey(pem: string, report: ReportProblem): Secret<ImportKey> | undefined {
  try {
    const [privateKey, certificate] = [createPrivateKey(pem), new X509Certificate(pem)]
    if (certificate.checkPrivateKey(privateKey)) return new Secret({ privateKey, certificate: certificate.raw })
    report('api.importKeyFile', 'its private key is not that of its certificate')
  } catch (error) {
    // OpenSSL's errors are plain ones, and may quote the key.
    if (!(error instanceof Error)) throw error
    report('api.importKeyFile', 'expected a private key in PEM, without a passphrase, and its certificate')
  }
  return undefined
}

/** How long contents live. */
export interface Retention extends RetentionSettings {
  /** Minutes between two sweeps of this node; 0: it does not sweep. */
  readonly sweepMinutes: number
}

/** The retention classes and rules; reports their problems. */
export function toRetention(
  written: Sections['retention'],
  policy: Sections['contentKeys']['policy'],
  report: ReportProblem,
): Retention {
  for (const { path, problem } of retentionProblems(written)) report(`retention.${path}`, problem)
  if (policy !== 'derived-root') return written
  for (const [name, { keep }] of Object.entries(written.classes)) {
    if (parseDuration(keep) === Number.POSITIVE_INFINITY) continue
    report(
      `retention.classes.${name}.keep`,
      'expected forever: contentKeys.policy derived-root stores no secret that could be destroyed',
    )
  }
  return written
}
