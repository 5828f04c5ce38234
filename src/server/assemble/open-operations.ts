import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import { ChainedAuditLog } from '../../operations/audit/log.ts'
import type { AuditSink } from '../../operations/audit/sink.ts'
import type { AuditHeadStore } from '../../operations/ports/store.ts'
import type { Config } from '../config/config.ts'
import { auditDirectoryOf } from '../config/operations.ts'
import { type Events, type OpenEventsOptions, openEvents } from '../delivery/events.ts'
import { packageVersion } from '../version.ts'
import { type OpenAuditOptions, openAudit } from './audit.ts'

export interface RecordsOptions {
  readonly by: OpenAuditOptions['by']
  readonly store: AuditHeadStore
  readonly dataKeys: DataKeys
  /** Where records go unless a directory is set. */
  readonly sink?: AuditSink | undefined
  readonly audit?: Pick<OpenAuditOptions, 'onWritten' | 'onLoss' | 'onError'>
  readonly events?: Pick<OpenEventsOptions, 'onOutcome' | 'onError'>
}

/** The audit log of a configuration. Nothing is opened before the first record. */
export function openAuditOf(config: RecordsConfig, { by, store, dataKeys, audit, sink }: RecordsOptions) {
  if (sink !== undefined && config.audit.directory === undefined) {
    const node = `${config.audit.node}-${randomBytes(4).toString('hex')}`
    const startedBy = { method: by, id: node }
    return new ChainedAuditLog({ ...audit, sink, node, heads: undefined, startedBy, now: () => Date.now() })
  }
  return openAudit({
    ...audit,
    directory: auditDirectoryOf(config),
    node: config.audit.node,
    by,
    user: by === 'cli' ? userInfo().username : undefined,
    store,
    dataKeys,
  })
}

/** The deliveries of events of a configuration; those of a command line are taken up by none but itself. */
export function openEventsOf(config: RecordsConfig, { by, events }: RecordsOptions): Promise<Events> {
  const { webhook, eventBus, file, types, deadLetterFile } = config.events
  return openEvents({
    ...events,
    webhook,
    eventBus,
    file,
    types,
    deadLetterFile: deadLetterFile ?? join(config.data, 'dead-events.jsonl'),
    node: by === 'cli' ? `${config.audit.node}-cli` : config.audit.node,
    version: packageVersion(),
  })
}

export type RecordsConfig = Pick<Config, 'audit' | 'events' | 'store' | 'data'>
