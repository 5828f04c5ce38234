import type { ContentKeys } from '../../keys/content/content-key.ts'
import type { Renewals } from '../../keys/content/revival.ts'
import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import type { Ledger, LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { RootKey } from '../../keys/ports/root-key.ts'
import type { IssuedKids } from '../../protocols/playback/issued-kids.ts'
import type { Log } from '../observe/log.ts'
import type { SignalingCounter } from '../observe/measured.ts'
import type { CallerRegistry } from './caller-registry.ts'
import type { OpenedKeysAtRest } from './keys-at-rest.ts'
import type { Store } from './open-store.ts'
import type { Operations } from './operations.ts'

interface KeyProviderParts {
  readonly keysAtRest: OpenedKeysAtRest
  readonly contentKeys: ContentKeys
  readonly ledger: Ledger
  readonly issuedKids: IssuedKids
  readonly renewals: Renewals
  readonly signaling: SignalingCounter
  readonly callers: CallerRegistry
  readonly operations: Operations
  readonly log: Log
}

/** A readiness probe writes to the disk: its result is shared for this time, in milliseconds. */
const PROBE_SHARED_MS = 1_000

/** Everything that a server has besides its configuration and HTTP: the store, the keys, the callers and the work in the background. */
export class KeyProvider {
  readonly store: Store
  readonly dataKeys: DataKeys
  readonly contentKeys: ContentKeys
  readonly ledger: Ledger
  /** The issued kids, for player requests. */
  readonly issuedKids: IssuedKids
  readonly callers: CallerRegistry
  readonly operations: Operations
  readonly log: Log
  /** Startup warnings, one sentence each. */
  readonly notices: readonly string[]
  readonly #renewals: Renewals
  readonly #rootKey: RootKey
  readonly #signaling: SignalingCounter
  readonly #stopCounting: () => void
  readonly #readiness: Readiness

  constructor({
    keysAtRest,
    contentKeys,
    ledger,
    issuedKids,
    renewals,
    signaling,
    callers,
    operations,
    log,
  }: KeyProviderParts) {
    const { store, rootKey, rootKeyName, dataKeys, created, stop } = keysAtRest
    this.store = store
    this.dataKeys = dataKeys
    this.contentKeys = contentKeys
    this.ledger = ledger
    this.issuedKids = issuedKids
    this.callers = callers
    this.operations = operations
    this.log = log
    this.notices = created ? [`created ${rootKeyName}: back it up, without it every key is lost`] : []
    this.#renewals = renewals
    this.#rootKey = rootKey
    this.#signaling = signaling
    this.#stopCounting = stop
    this.#readiness = new Readiness(store, () => performance.now())
  }

  /** Records issued keys in the ledger. Returns at once. */
  record(entries: readonly LedgerEntry[]): void {
    for (const entry of entries) this.ledger.record(entry)
    this.issuedKids.note(entries)
  }

  /** As `record`, and counts the keys by DRM system. */
  recordSignaled(entries: readonly LedgerEntry[]): void {
    this.record(entries)
    this.#signaling.count(entries)
  }

  /** Whether keys can be created and read. Rejects with the error of the store. */
  isReady(): Promise<boolean> {
    return this.#readiness.check()
  }

  /** Writes pending records. Call it before the process is frozen. */
  async flush(): Promise<void> {
    await Promise.all([this.ledger.flush(), this.#renewals.flush(), this.operations.flush()])
  }

  /** Writes pending records and closes the store. */
  async close(): Promise<void> {
    this.#stopCounting()
    await this.operations.close()
    await this.ledger.close()
    await this.#renewals.close()
    await this.store.close()
    await this.#rootKey.close()
  }
}

/** Whether a store can be read, and written where that can be tried. */
export class Readiness {
  readonly #store: Pick<Store, 'sampleDataKeys' | 'checkWrites'>
  readonly #now: () => number
  #last: { readonly at: number; readonly answer: Promise<boolean> } | undefined

  /** `now` returns milliseconds of a clock that never goes back. */
  constructor(store: Pick<Store, 'sampleDataKeys' | 'checkWrites'>, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** True, or rejects with the error of the store. Checks within a second share one result. */
  check(): Promise<boolean> {
    const at = this.#now()
    if (this.#last === undefined || at - this.#last.at >= PROBE_SHARED_MS) this.#last = { at, answer: this.#probe() }
    return this.#last.answer
  }

  async #probe(): Promise<boolean> {
    await Promise.all([this.#store.sampleDataKeys(), this.#store.checkWrites?.()])
    return true
  }
}
