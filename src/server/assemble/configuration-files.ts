import { randomBytes } from 'node:crypto'
import { AUTH_METHODS, CREDENTIAL_METHODS } from '../../auth/methods/methods.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { Config } from '../config/config.ts'
import type { ReportProblem } from '../config/fields.ts'
import { readText, readTlsFiles } from '../config/files.ts'
import { toRegisteredClients } from './configured-clients.ts'

/** Nothing is stored: the files only have to be usable. */
const NO_SECRETS = { seal: async () => new Uint8Array() }

/**
 * Opens the files that a configuration names and that `readConfig` does not read: certificates and their keys, the secrets of
 * clients and gateways, and key sets. Rejects with ERR_CONFIG_INVALID and every problem.
 */
export async function checkConfigurationFiles(config: Config): Promise<void> {
  const problems: string[] = []
  const report: ReportProblem = (path, problem) => void problems.push(`${path}: ${problem}`)
  if (config.tls !== undefined) readTlsFiles(config.tls, report)
  await toRegisteredClients(config.clients, { secrets: NO_SECRETS, randomBytes, auth: config.auth, report })
  const reader = { report, readText: (path: string, file: string) => readText(path, file, report) }
  for (const name of CREDENTIAL_METHODS) AUTH_METHODS[name].settingsOf?.(config, reader)
  if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', [...new Set(problems)].join('\n'))
}
