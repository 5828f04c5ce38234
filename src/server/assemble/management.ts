import { randomBytes } from 'node:crypto'
import { StoredContentKeys } from '../../keys/content/content-keys.ts'
import { openKeys } from '../../keys/crypto/data-keys.ts'
import type { ImportKey } from '../../operations/import/draft.ts'
import { shortestGraceMs } from '../../operations/lifetime/retention.ts'
import type { Management } from '../../operations/management.ts'
import type { Config } from '../config/config.ts'
import { ContentRules } from '../config/content-rules.ts'
import { contentKeysPolicyOf } from './keys-at-rest.ts'
import { openStore } from './open-store.ts'
import { openAuditOf, openEventsOf } from './records.ts'

/** The stored contents of a configuration, opened for a command line. */
export interface OpenedManagement {
  readonly management: Management
  /** Decrypts keys that others encrypted for this server; undefined if it is not configured. */
  readonly importKey: ImportKey | undefined
  /** The shortest time that any retention class leaves between expiry and destruction. */
  readonly shortestGraceMs: number
  /** Startup warnings, one sentence each. */
  readonly notices: readonly string[]
  /** Writes what is pending and closes the store. */
  close(): Promise<void>
}

/**
 * Opens the store and the keys of a configuration. With `create` it creates them if they do not exist: keys may be imported before
 * the first start. The audit log is that of the node `<node>-cli`.
 */
export async function openManagement(
  config: Config,
  { create = false }: { readonly create?: boolean } = {},
): Promise<OpenedManagement> {
  const { store, openRootKey, rootKeyName } = await openStore(config, { create })
  try {
    const { rootKey, dataKeys, created } = await openKeys({
      store,
      openRootKey: (isEmpty) => openRootKey(isEmpty && create),
      rootKeyName,
      randomBytes,
    })
    const { retention, rotation } = new ContentRules(config)
    const time = () => Date.now()
    const contentKeys = new StoredContentKeys({
      store,
      dataKeys,
      ...contentKeysPolicyOf(config),
      retention,
      now: () => performance.now(),
      time,
      randomBytes,
    })
    const records = { by: 'cli', store, dataKeys } as const
    const audit = openAuditOf(config, records)
    const events = await openEventsOf(config, records)
    const { emit } = events
    return {
      management: { store, dataKeys, contentKeys, retention, rotation, audit, emit, now: time, randomBytes },
      importKey: config.api.importKey?.reveal(),
      shortestGraceMs: shortestGraceMs(config.retention),
      notices: created ? [`created ${rootKeyName}: back it up, without it every key is lost`] : [],
      async close() {
        await events.close()
        await audit.close()
        await store.close()
        await rootKey.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}
