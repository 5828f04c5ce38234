import { readConfig } from '../../../server/config/config.ts'
import type { ConfigFlags } from '../../../server/config/sources.ts'

/** Reports every problem of the configuration, or says that there is none. */
export function configCheck({ config: file, ...flags }: ConfigFlags & { readonly config?: string }): void {
  const config = readConfig({ file, environment: process.env, flags })
  const from = config.file === undefined ? 'no file, the environment and the defaults' : config.file
  process.stdout.write(
    `configuration is valid (${from}): ${config.host}:${config.port}, store ${config.store} in ${config.data}, ` +
      `signalling profile ${config.signalingProfile}\n`,
  )
}
