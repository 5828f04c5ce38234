import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import type { RootKey } from '../../keys/ports/root-key.ts'
import type { Metrics } from './metrics.ts'
import { timed } from './timed.ts'

/** The operations that may cost a call of KMS or Vault. */
const ASKED = ['wrap', 'unwrap', 'generate', 'rewrap'] as const

/** The same root key, each of its operations timed and its failures counted. */
export function measuredRootKey(rootKey: RootKey, provider: string, metrics: Metrics): RootKey {
  const measured = ASKED.flatMap((op) => {
    // Those it does not have must stay missing: callers ask.
    const call: ((...values: never[]) => unknown) | undefined = rootKey[op]?.bind(rootKey)
    return call === undefined
      ? []
      : [[op, timed(call, (ms, code) => metrics.rootKeyOperation(op, provider, ms, code))] as const]
  })
  return { ...rootKey, ...Object.fromEntries(measured) }
}

/** The same data keys, counted each time one is asked for: what the root key had to open is counted there. */
export function measuredDataKeys(dataKeys: DataKeys, metrics: Metrics): DataKeys {
  return {
    current(...values) {
      metrics.dataKeyLookup()
      return dataKeys.current(...values)
    },
    find(...values) {
      metrics.dataKeyLookup()
      return dataKeys.find(...values)
    },
  }
}
