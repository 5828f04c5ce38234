import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { openAuditFiles } from '../../adapters/audit-files/files.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import { createAuditHeads } from '../../operations/audit/heads.ts'
import { type AuditLogOptions, ChainedAuditLog, type WatchedAuditLog } from '../../operations/audit/log.ts'
import { NODE_NAME } from '../../operations/audit/record.ts'
import type { AuditSink } from '../../operations/audit/sink.ts'
import type { AuditHeadStore } from '../../operations/ports/store.ts'
import type { Config } from '../config/config.ts'
import { auditDirectoryOf } from '../config/operations.ts'
import { EventDeliveries, type EventDeliveriesOptions } from '../delivery/events.ts'
import { packageVersion } from '../version.ts'

type AuditReports = Pick<AuditLogOptions, 'onWritten' | 'onLoss' | 'onError'>
type RecordsConfig = Pick<Config, 'audit' | 'events' | 'store' | 'data'>

interface RecordsOptions {
  /** A command line writes as `<node>-cli`, so that it never waits for the server. Several command lines take turns. */
  readonly by: 'server' | 'cli'
  readonly store: AuditHeadStore
  readonly dataKeys: DataKeys
  /** The destination of the audit log if no directory is set. */
  readonly sink?: AuditSink | undefined
  readonly audit?: AuditReports
  readonly events?: Pick<EventDeliveriesOptions, 'onOutcome' | 'onError'>
}

/** The audit log of a configuration. It opens its files with the first record. */
export function openAuditOf(config: RecordsConfig, options: RecordsOptions): WatchedAuditLog {
  const { by, store, dataKeys, audit, sink } = options
  if (sink !== undefined && config.audit.directory === undefined) {
    const node = `${config.audit.node}-${randomBytes(4).toString('hex')}`
    const startedBy = { method: by, id: node }
    return new ChainedAuditLog({ ...audit, sink, node, heads: undefined, startedBy, now: () => Date.now() })
  }
  const user = by === 'cli' ? userInfo().username : undefined
  const directory = auditDirectoryOf(config)
  return openAudit({ ...audit, directory, node: config.audit.node, by, user, store, dataKeys })
}

/** The event deliveries of a configuration. Those of a command line are delivered by that command line only. */
export function openEventsOf(config: RecordsConfig, { by, events }: RecordsOptions): Promise<EventDeliveries> {
  const { webhook, eventBus, file, types, deadLetterFile } = config.events
  return EventDeliveries.open({
    ...events,
    webhook,
    eventBus,
    file,
    types,
    deadLetterFile: deadLetterFile ?? join(config.data, 'dead-events.jsonl'),
    node: nodeOf(config.audit.node, by),
    version: packageVersion(),
  })
}

export interface OpenAuditOptions extends AuditReports {
  /** Undefined: nothing is recorded. */
  readonly directory: string | undefined
  readonly node: string
  readonly by: RecordsOptions['by']
  /** The operating system's user of a command line. */
  readonly user?: string | undefined
  readonly store: AuditHeadStore
  readonly dataKeys: DataKeys
}

/** How long to wait for another process of the same node: a server that drains, or a command line, in milliseconds. */
const LOCK_WAIT_MS = { server: 15_000, cli: 30_000 } as const

/** An audit log in files. It opens them with the first record. */
export function openAudit(options: OpenAuditOptions): WatchedAuditLog {
  const { directory, by, user, store, dataKeys, onWritten, onLoss, onError } = options
  if (directory === undefined) return NO_AUDIT_LOG
  const node = nodeOf(options.node, by)
  if (!NODE_NAME.test(node)) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      'audit.node: expected a name of 1 to 64 letters, digits, dots, dashes or underscores that starts with no dot',
    )
  }
  return new ChainedAuditLog({
    sink: openAuditFiles({ directory, node, lockWaitMs: LOCK_WAIT_MS[by] }),
    node,
    heads: createAuditHeads({ store, dataKeys, randomBytes }),
    startedBy: { method: by, id: user ?? node },
    now: () => Date.now(),
    ...(onWritten && { onWritten }),
    ...(onLoss && { onLoss }),
    ...(onError && { onError }),
  })
}

function nodeOf(node: string, by: RecordsOptions['by']): string {
  return by === 'cli' ? `${node}-cli` : node
}

const NO_AUDIT_LOG: WatchedAuditLog = {
  start: async () => {},
  write: async () => {},
  spool: () => {},
  queued: () => 0,
  close: async () => {},
}
