import { randomBytes } from 'node:crypto'
import { memoryStore } from '../../src/adapters/store/memory/store.ts'
import { KeyProviderError } from '../../src/core/errors.ts'
import type { ContentKeyClass, Kid } from '../../src/formats/cenc.ts'
import { StoredContentKeys } from '../../src/keys/content/content-keys.ts'
import { FOREVER, type RetentionClass, type RetentionOf } from '../../src/keys/content/lifetime.ts'
import { Renewals } from '../../src/keys/content/revival.ts'
import { DataKeyRing } from '../../src/keys/crypto/data-keys.ts'
import { rootSecretDerivation } from '../../src/keys/crypto/root-secret.ts'
import type { LedgerKey, LedgerRecord } from '../../src/keys/ports/ledger-store.ts'
import type { Management, Operator } from '../../src/operations/management.ts'
import type { AuditEntry } from '../../src/operations/ports/audit.ts'
import type { KeyspringEvent } from '../../src/operations/ports/events.ts'
import { fakeRootKey, issue, kidOf } from '../keys/fixtures.ts'

export const DAY = 86_400_000
export const START = Date.UTC(2026, 10, 21)
export const OPERATOR: Operator = { tenant: 'default', actor: { method: 'basic', id: 'ops' }, requestId: 'r1' }

export const WEEK: RetentionClass = { name: 'week', keepMs: 7 * DAY, graceMs: DAY, afterwards: 'gone', held: false }
export const HELD: RetentionClass = { ...FOREVER, name: 'court', held: true }

/** Rules that a test changes as it goes. */
export interface Rules {
  of: RetentionOf
}

export interface ManagingOptions {
  readonly store?: ReturnType<typeof memoryStore>
  readonly clock?: { at: number }
  readonly rules?: Rules
  readonly rotation?: Management['rotation']
  /** Content secrets are derived from this. */
  readonly rootSecret?: Uint8Array
}

/** Management of a store in memory, on a clock of its own; what was recorded and told is kept. */
export function managing(options: ManagingOptions = {}) {
  const store = options.store ?? memoryStore()
  const clock = options.clock ?? { at: START }
  const rules = options.rules ?? { of: () => FOREVER }
  const entries: AuditEntry[] = []
  const events: KeyspringEvent[] = []
  const audit = { isAway: false }
  const retention: RetentionOf = (ref) => rules.of(ref)
  const now = (): number => clock.at
  const dataKeys = new DataKeyRing({ store, rootKey: fakeRootKey(1), rootKeyName: 'test', randomBytes })
  const renewals = new Renewals({ store })
  const contentKeys = new StoredContentKeys({
    store,
    dataKeys,
    policy: options.rootSecret === undefined ? 'derived' : 'derived-root',
    deriveContentSecret: options.rootSecret && rootSecretDerivation(options.rootSecret),
    now,
    time: now,
    retention,
    renewals,
    randomBytes,
    revalidateMs: 0,
  })
  const management: Management = {
    store,
    dataKeys,
    contentKeys,
    retention,
    rotation: options.rotation,
    audit: {
      async write(entry) {
        if (audit.isAway) throw new KeyProviderError('ERR_AUDIT_UNAVAILABLE', 'the audit log is away')
        entries.push(entry)
      },
      spool: (entry) => entries.push(entry),
      close: async () => {},
    },
    emit: (event) => events.push(event),
    now,
    randomBytes,
  }
  return {
    management,
    store,
    clock,
    rules,
    entries,
    events,
    setAuditAway: (away: boolean) => {
      audit.isAway = away
    },
    /** Gives a content its secret and a key, as an encryptor that asks does. */
    async create(contentId: string, tenant = 'default') {
      await issue(contentKeys, [{ contentKeyClass: 'drm', kid: kidOf(1) }], { tenant, contentId })
      await renewals.flush()
    },
  }
}

export function ledgerKey(kid: Kid, changes: Partial<LedgerKey> = {}): LedgerKey {
  const contentKeyClass: ContentKeyClass = 'drm'
  return {
    kid,
    contentKeyClass,
    commonEncryptionScheme: 'cenc',
    intendedTrackTypes: ['VIDEO'],
    systemIds: [],
    ...changes,
  }
}

export function ledgerRecord(changes: Partial<LedgerRecord> = {}): LedgerRecord {
  return {
    tenant: 'default',
    contentId: 'channel',
    periodId: '',
    periodIndex: undefined,
    periodStart: undefined,
    periodEnd: undefined,
    keys: [ledgerKey(kidOf(1))],
    client: 'encryptor',
    spekeVersion: '2.0',
    firstAt: START,
    lastAt: START,
    requests: 1,
    keepUntil: undefined,
    ...changes,
  }
}
