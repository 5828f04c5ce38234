import type { PlayerRouteOptions } from '../../http/routes/player.ts'
import type { WidevineRouteOptions } from '../../http/routes/widevine.ts'
import type { CpixTransfer } from '../../operations/transfer/transfer.ts'
import type { SpekeAnswerer } from '../../protocols/speke/answer.ts'
import type { Config } from '../config/config.ts'
import type { Callers, LoadCallers } from './callers.ts'
import type { Operations } from './operations.ts'

/** The keys and what answers with them: everything of the server but HTTP. */
export interface KeyProvider {
  /** Answers under `config`; made anew when the configuration is reloaded, over the same keys. */
  answerWith(config: Config, publicUrl: string, callers: Pick<Callers, 'profileOf'>): Pick<SpekeAnswerer, 'answer'>
  /** Exchanges CPIX documents under `config`. */
  transferWith(config: Config, publicUrl: string, callers: Pick<Callers, 'profileOf'>): CpixTransfer
  /** What players are served from under `config`. */
  playersWith(config: Config): PlayerRouteOptions
  /** What packagers with the key API of Widevine are served from; undefined where nobody may ask. */
  widevineWith(config: Config, callers: Callers): WidevineRouteOptions | undefined
  readonly loadCallers: LoadCallers
  /** Whether keys can be created and read. */
  isReady(): Promise<boolean>
  /** What whoever starts the server must know, one sentence each. */
  readonly notices: readonly string[]
  /** Writes what would be written later: before the process is frozen. */
  flush(): Promise<void>
  /** What else is done with the stored keys. */
  readonly operations: Operations
  /** Writes what is pending and closes the store. */
  close(): Promise<void>
}
