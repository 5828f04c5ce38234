import { randomBytes } from 'node:crypto'
import type { EncryptorName } from '../../../src/protocols/speke/tables/presets.ts'
import type { CheckResult } from '../../../src/toolkit/conformance/check.ts'
import { checksFor, pickChecks, USUAL_DRM } from '../../../src/toolkit/conformance/checks.ts'
import { runChecks } from '../../../src/toolkit/conformance/run.ts'
import { newRecipient } from '../../../src/toolkit/encryptor/certificate.ts'
import { connector } from './provider.ts'

const recipient = newRecipient(Date.now(), randomBytes)

export interface Verifying {
  readonly as?: EncryptorName
  readonly only?: readonly string[]
  readonly drm?: readonly string[]
}

/** Runs checks against a key provider. */
export function verifying(
  url: string,
  { as = 'spec', only = [], drm = USUAL_DRM }: Verifying = {},
): Promise<readonly CheckResult[]> {
  const { certificate, privateKey } = recipient
  const checks = checksFor({
    as,
    drm,
    contentId: 'keyspring-verify',
    fresh: randomBytes(4).toString('hex'),
    certificate,
  })
  return runChecks(pickChecks(checks, { only }), {
    as,
    connect: connector(url, as),
    privateKey,
    concurrency: 8,
    onResult: () => undefined,
    isStopped: () => false,
  })
}
