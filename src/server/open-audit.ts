import { randomBytes } from 'node:crypto'
import type { DataKeys } from '../keys/data-keys.ts'
import { createAuditHeads } from '../manage/audit-heads.ts'
import { type AuditLogOptions, createAuditLog, type WatchedAuditLog } from '../manage/audit-log.ts'
import type { AuditHeadStore } from '../manage/store.ts'
import { openAuditFiles } from '../store/audit-files.ts'
import type { Config } from './config.ts'
import { auditDirectoryOf } from './operations-config.ts'

export interface OpenAuditOptions
  extends Pick<AuditLogOptions, 'startedBy' | 'onWritten' | 'onLoss' | 'onError'>,
    Partial<Pick<AuditLogOptions, 'node'>> {
  readonly store: AuditHeadStore
  readonly dataKeys: DataKeys
}

/** The audit log of a configuration, its heads in the store; one that takes everything and keeps nothing where there is no directory. */
export function openAudit(config: AuditConfig, { store, dataKeys, ...options }: OpenAuditOptions): WatchedAuditLog {
  const directory = auditDirectoryOf(config)
  if (directory === undefined) return NOWHERE
  const node = options.node ?? config.audit.node
  return createAuditLog({
    ...options,
    sink: openAuditFiles({ directory, node }),
    node,
    heads: createAuditHeads({ store, dataKeys, randomBytes }),
    now: () => Date.now(),
  })
}

export type AuditConfig = Pick<Config, 'audit' | 'store' | 'data'>

const NOWHERE: WatchedAuditLog = {
  start: async () => {},
  write: async () => {},
  spool() {},
  queued: () => 0,
  async close() {},
}
