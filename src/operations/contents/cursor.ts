import { KeyProviderError } from '../../core/errors.ts'
import { seal, sealGeneration, unseal } from '../../keys/crypto/seal.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { Management } from '../management.ts'

/**
 * A place in a tenant's list, from which the caller reads the next page. It is sealed, because it can be the id of a content
 * that the caller may not see.
 */
export async function sealCursor(
  { dataKeys, randomBytes }: Pick<Management, 'dataKeys' | 'randomBytes'>,
  tenant: Tenant,
  place: string,
): Promise<string> {
  const dataKey = await dataKeys.current(tenant)
  return Buffer.from(seal(dataKey, { kind: 'cursor', tenant }, Buffer.from(place), randomBytes)).toString('base64url')
}

/** The place in a cursor of `sealCursor`. Throws ERR_API_REQUEST_INVALID for anything else. */
export async function openCursor(
  { dataKeys }: Pick<Management, 'dataKeys'>,
  tenant: Tenant,
  cursor: string,
): Promise<string> {
  const sealed = Buffer.from(cursor, 'base64url')
  const generation = sealGeneration(sealed)
  const dataKey = generation === undefined ? undefined : await dataKeys.find(tenant, generation)
  try {
    return unseal(dataKey, { kind: 'cursor', tenant }, sealed).toString()
  } catch (cause) {
    if (!(cause instanceof KeyProviderError && cause.code === 'ERR_SEAL_BROKEN')) throw cause
    throw new KeyProviderError(
      'ERR_API_REQUEST_INVALID',
      'cursor: expected the value of next in the previous page; start again without a cursor',
      { cause },
    )
  }
}
