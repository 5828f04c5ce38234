import type { ClientStore } from '../auth/client-store.ts'
import type { RecentPeriods } from '../keys/recent-periods.ts'
import type { LedgerStore, LifeStore, SecretStore, StoreMaintenance } from '../keys/store.ts'
import { AUDIT_TENANT, type ManageStore } from '../manage/store.ts'
import { memoryClientStore } from './memory-clients.ts'
import { memoryContents } from './memory-contents.ts'
import { memoryLedgerStore } from './memory-ledger.ts'
import { memoryLifeStore } from './memory-life.ts'
import { memoryManageStore } from './memory-manage.ts'
import { memoryRecordStore } from './memory-records.ts'
import { memorySecretStore } from './memory-secrets.ts'

/** A store that forgets everything when the process ends: for tests and trials. */
export function memoryStore(): SecretStore &
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
