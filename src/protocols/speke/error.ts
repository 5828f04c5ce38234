import { KeyProviderError } from '../../core/errors.ts'
import { SPEKE_REFUSALS, type SpekeRefusal } from './tables/refusals.ts'

/** An error in SPEKE's own words. The message is fixed; `detail` says why and where, for the log. */
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
