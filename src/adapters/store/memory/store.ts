import type { ClientStore } from '../../../auth/clients/store.ts'
import type { ContentStore } from '../../../keys/ports/content-store.ts'
import type { LedgerStore, RecentPeriods } from '../../../keys/ports/ledger-store.ts'
import type { LifeStore } from '../../../keys/ports/lifetime-store.ts'
import type { StoreMaintenance } from '../../../keys/ports/maintenance-store.ts'
import { AUDIT_TENANT, type ManageStore } from '../../../operations/ports/store.ts'
import { memoryClientStore } from './clients.ts'
import { memoryContents } from './contents.ts'
import { memoryLedgerStore } from './ledger.ts'
import { memoryLifeStore } from './life.ts'
import { memoryManageStore } from './manage.ts'
import { memoryRecordStore } from './records.ts'
import { memorySecretStore } from './secrets.ts'

/** A store that forgets everything when the process ends: for tests and trials. */
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
  return {
    ...secrets,
    ...memoryLifeStore(contents),
    ...memoryManageStore(contents),
    ...records,
    ...memoryLedgerStore(),
    ...clients,
    async putAuditHead(head) {
      refuseRemoved({ tenant: AUDIT_TENANT }, head.sealed)
      return records.putAuditHead(head)
    },
    close: async () => {},
  }
}
