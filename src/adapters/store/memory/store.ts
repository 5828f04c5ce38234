import type { ClientStore } from '../../../auth/clients/client.ts'
import { contentGone } from '../../../keys/content/errors.ts'
import type { ContentStore, LifeStore } from '../../../keys/ports/content-store.ts'
import type { LedgerStore, RecentPeriods } from '../../../keys/ports/ledger-store.ts'
import type { StoreMaintenance } from '../../../keys/ports/maintenance-store.ts'
import { AUDIT_TENANT, type ManageStore } from '../../../operations/ports/store.ts'
import { memoryContents, memoryLifeStore, overrideId } from './contents.ts'
import { memoryLedgerStore } from './ledger.ts'
import { memoryClientStore, memoryManageStore, memoryRecordStore } from './records.ts'
import { memorySecretStore } from './secrets.ts'

/** A store that loses everything when the process ends, for tests and trials. */
export function memoryStore(): ContentStore &
  LedgerStore &
  RecentPeriods &
  ClientStore &
  StoreMaintenance &
  LifeStore &
  ManageStore {
  const { clientsSealedBy, ...clients } = memoryClientStore()
  const { headsSealedBy, ...records } = memoryRecordStore()
  const contents = memoryContents()
  const { refuseRemoved, ...secrets } = memorySecretStore(
    contents,
    (tenant, generation) => clientsSealedBy(tenant, generation) + headsSealedBy(tenant, generation),
  )
  const manage = memoryManageStore(contents)
  return {
    ...secrets,
    ...memoryLifeStore(contents),
    ...manage,
    /** No other call runs between the checks and the writes, because both writes happen before their first `await`. */
    async putDocumentWithKeys(ref, document, before, { overrides, birth, unlessSecret }) {
      for (const { sealed } of overrides) refuseRemoved(ref, sealed)
      const content = contents.find(ref)
      if (content?.tombstone !== undefined) throw contentGone(ref)
      if (content?.document?.revision !== before) return 'changed'
      if (overrides.some((override) => content?.overrides.has(overrideId(override)))) return 'taken'
      if (unlessSecret && content?.sealedSecret !== undefined) return 'taken'
      const writes = [secrets.putOverridesIfAbsent(ref, overrides, birth), manage.putDocument(ref, document, before)]
      await Promise.all(writes)
      return 'stored'
    },
    ...records,
    ...memoryLedgerStore(contents),
    ...clients,
    async putAuditHead(head) {
      refuseRemoved({ tenant: AUDIT_TENANT }, head.sealed)
      return records.putAuditHead(head)
    },
    close: async () => {},
  }
}
