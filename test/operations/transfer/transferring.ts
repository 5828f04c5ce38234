import assert from 'node:assert/strict'
import { ForbiddenError } from '../../../src/auth/failure.ts'
import { DRM_SYSTEMS } from '../../../src/formats/drm/facts.ts'
import type { XmlDocument } from '../../../src/formats/xml/document.ts'
import { readXml } from '../../../src/formats/xml/reader.ts'
import type { LedgerEntry } from '../../../src/keys/ledger/ledger.ts'
import type { Management } from '../../../src/operations/management.ts'
import {
  type CpixTransfer,
  type CpixTransferOptions,
  createCpixTransfer,
  type TransferCaller,
  type TransferredDocument,
} from '../../../src/operations/transfer/transfer.ts'
import { DEFAULT_POLICY, DEFAULT_PROFILE } from '../../../src/protocols/speke/profile.ts'
import { PlayerUrls } from '../../../src/protocols/speke/urls.ts'
import { findBuiltIn } from '../../protocols/speke/answering.ts'
import { type ManagingOptions, managing, OPERATOR } from '../managing.ts'

export const ENCRYPTOR: TransferCaller = {
  operator: OPERATOR,
  client: 'encryptor',
  authorize: () => undefined,
  keys: 'clear',
}
/** May read, and have keys encrypted for recipients that were pinned for it. */
export const READER: TransferCaller = { ...ENCRYPTOR, client: 'reader', keys: 'encrypted' }
/** May do nothing with the content `secret`. */
export const RESTRICTED: TransferCaller = {
  ...ENCRYPTOR,
  authorize: (contentId) => {
    if (contentId === 'secret') throw new ForbiddenError('content', 'encryptor')
  },
}

const ANSWER_LIMITS = { bytes: 64 * 1024 * 1024, elements: 100_000 }

/** CPIX transfer over a store in memory; what it told of is kept. */
export function transferring(options: ManagingOptions & Partial<CpixTransferOptions> = {}, management?: Management) {
  const world = managing(options)
  const recorded: LedgerEntry[] = []
  const transfer = createCpixTransfer(management ?? world.management, {
    findDrmSystem: findBuiltIn,
    drmSystems: [...DRM_SYSTEMS.values()],
    profileFor: () => DEFAULT_PROFILE,
    policy: DEFAULT_POLICY,
    xmlLimits: {},
    urls: new PlayerUrls('https://keys.example.com'),
    record: (entries) => recorded.push(...entries),
    warn: () => undefined,
    ...options,
  })
  return { ...world, transfer, recorded }
}

/** Posts a document, and what came of it. */
export async function post(transfer: CpixTransfer, xml: string, contentId = 'movie', caller = ENCRYPTOR) {
  return opened(await transfer.post(caller, contentId, Buffer.from(xml)))
}

export async function get(transfer: CpixTransfer, contentId = 'movie', caller = ENCRYPTOR) {
  return opened(await transfer.get(caller, contentId))
}

export function opened(given: TransferredDocument): TransferredDocument & { xml: string; document: XmlDocument } {
  const body = given.body ?? assert.fail('no document')
  return { ...given, xml: Buffer.from(body).toString(), document: readXml(body, ANSWER_LIMITS) }
}
