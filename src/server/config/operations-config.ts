import { createPrivateKey, X509Certificate } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { KeyProviderError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import { readWebhookSecret } from '../../operations/events/sign.ts'
import type { ImportKey } from '../../operations/import/format.ts'
import type { EventType } from '../../operations/ports/events.ts'
import { webhookUrlProblem } from '../delivery/post-event.ts'
import type { ReportProblem } from './fields.ts'
import { readText } from './playback-config.ts'
import type { Sections } from './schema.ts'
import type { KeysAtRest } from './store-config.ts'

/** Where who did what is written down. */
export interface AuditSettings {
  /** Undefined: below `data`, where anything there lasts. */
  readonly directory: string | undefined
  /** Whether it does: not beside a store in memory, nor in a function, whose files end with its instance. */
  readonly lasts: boolean
  readonly node: string
  /** What becomes of records of issued keys: none, written soon, or written before the answer leaves. */
  readonly issue: Sections['audit']['issue']
}

/** Who is told of what happens. */
export interface EventsSettings {
  readonly webhook: WebhookSettings | undefined
  readonly eventBus: string | undefined
  readonly file: string | undefined
  readonly types: readonly EventType[]
  readonly deadLetterFile: string | undefined
}

export interface WebhookSettings {
  readonly url: string
  readonly secret: Secret<string>
  readonly timeoutMs: number
}

export function toAudit(
  { directory, node, issue }: Sections['audit'],
  { store, isFunction }: { readonly store: KeysAtRest['store']; readonly isFunction: boolean },
  report: ReportProblem,
): AuditSettings {
  const lasts = store !== 'memory' && !isFunction
  if (directory === undefined && store === 'memory' && issue === 'require') {
    report('audit.directory', 'is not set: audit.issue require needs it beside a store in memory')
  }
  return { directory, lasts, node: node ?? nodeOf(hostname()), issue }
}

/** The directory of the audit log; undefined where there is none. */
export function auditDirectoryOf({
  audit,
  data,
}: {
  readonly audit: AuditSettings
  readonly data: string
}): string | undefined {
  return audit.directory ?? (audit.lasts ? join(data, 'audit') : undefined)
}

/** A host name as far as it can be the name of a file. */
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
    report('events.webhook.secret', 'is not set: whoever receives events needs it to know them for ours')
  }
  if (url === undefined && secret !== undefined) report('events.webhook.url', 'is not set: nobody is told of events')
  const problem = url === undefined ? undefined : webhookUrlProblem(url)
  if (problem !== undefined) report('events.webhook.url', problem)
  if (secret !== undefined && !isWebhookSecret(secret)) {
    report('events.webhook.secret', 'expected base64 of 24 bytes or more behind whsec_')
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
  /** What opens keys that others encrypted for us; undefined: only keys in the clear are imported. */
  readonly importKey: Secret<ImportKey> | undefined
}

export function toApi({ enabled, importKeyFile }: Sections['api'], report: ReportProblem): ApiSettings {
  const pem = importKeyFile === undefined ? undefined : readText('api.importKeyFile', importKeyFile, report)
  return { enabled, importKey: pem === undefined ? undefined : toImportKey(pem, report) }
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
