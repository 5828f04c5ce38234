import { KeyProviderError } from '../../core/errors.ts'
import type { Template } from '../../core/template.ts'
import type { SystemId } from '../cenc.ts'
import { decodePssh, type PsshBox } from './payloads/pssh.ts'
import type { KeyFilling } from './system.ts'

/** A ready-made box of an override: as bytes for the answer, and read. Throws ERR_SIGNALING_INVALID for another system's. */
export function givenPssh(
  bytes: Uint8Array,
  systemId: SystemId,
  name: string,
): { readonly pssh: Template<KeyFilling>; readonly box: PsshBox } {
  const box = decodePssh(bytes)
  if (box.systemId !== systemId) {
    throw new KeyProviderError(
      'ERR_SIGNALING_INVALID',
      `${name}: the pssh box of the override is for system ${box.systemId}, expected ${systemId}; import the right one`,
    )
  }
  return { pssh: { text: Buffer.from(bytes).toString('latin1'), holes: [] }, box }
}
