import { KeyProviderError } from '../../core/errors.ts'
import { SPEKE_REFUSALS, type SpekeRefusal } from './tables/refusals.ts'

/** A refusal in SPEKE's own words. `detail` says why and where, for the log: the message itself is fixed. */
export class SpekeError extends KeyProviderError {
  override readonly name = 'SpekeError'
  readonly detail: string | undefined

  constructor(code: SpekeRefusal, options: { readonly of?: string; readonly detail?: string } = {}) {
    super(
      code,
      SPEKE_REFUSALS[code].replace('$', () => options.of ?? ''),
    )
    this.detail = options.detail
  }
}
