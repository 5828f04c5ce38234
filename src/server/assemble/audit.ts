import { randomBytes } from 'node:crypto'
import { openAuditFiles } from '../../adapters/audit-files/files.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import { createAuditHeads } from '../../operations/audit/heads.ts'
import { type AuditLogOptions, ChainedAuditLog, type WatchedAuditLog } from '../../operations/audit/log.ts'
import { NODE_NAME } from '../../operations/audit/record.ts'
import type { Actor } from '../../operations/ports/audit.ts'
import type { AuditHeadStore } from '../../operations/ports/store.ts'

export interface OpenAuditOptions extends Pick<AuditLogOptions, 'onWritten' | 'onLoss' | 'onError'> {
  /** Undefined: nothing is recorded anywhere. */
  readonly directory: string | undefined
  readonly node: string
  /** A command line writes as `<node>-cli`, so that it never waits for the server; several of them take turns. */
  readonly by: 'server' | 'cli'
  /** The user of the system who runs the command line; undefined for a server. */
  readonly user?: string | undefined
  readonly store: AuditHeadStore
  readonly dataKeys: DataKeys
}

/** How long another process of the same node is waited for: a server that drains, or a command line at work. */
const LOCK_WAIT_MS = { server: 15_000, cli: 30_000 } as const

/** The audit log of this process. Nothing is opened before the first record. */
export function openAudit(options: OpenAuditOptions): WatchedAuditLog {
  const { directory, by, store, dataKeys, onWritten, onLoss, onError } = options
  if (directory === undefined) return nowhere
  const node = by === 'cli' ? `${options.node}-cli` : options.node
  if (!NODE_NAME.test(node)) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      'audit.node: expected a name of 1 to 64 letters, digits, dots, dashes or underscores that starts with no dot',
    )
  }
  const startedBy: Actor = { method: by, id: options.user ?? node }
  return new ChainedAuditLog({
    sink: openAuditFiles({ directory, node, lockWaitMs: LOCK_WAIT_MS[by] }),
    node,
    heads: createAuditHeads({ store, dataKeys, randomBytes }),
    startedBy,
    now: () => Date.now(),
    ...(onWritten && { onWritten }),
    ...(onLoss && { onLoss }),
    ...(onError && { onError }),
  })
}

const nowhere: WatchedAuditLog = {
  start: async () => {},
  write: async () => {},
  spool: () => {},
  queued: () => 0,
  close: async () => {},
}
