import { randomUUID } from 'node:crypto'
import { userInfo } from 'node:os'
import { KeyProviderError } from '../../core/errors.ts'
import { type Kid, toKid } from '../../formats/cenc.ts'
import type { Operator } from '../../operations/management.ts'
import { type OpenedManagement, openManagement } from '../../server/assemble/management.ts'
import { printable } from '../../toolkit/inspect/text.ts'
import { type KeysOptions, readKeysConfig } from './keys-options.ts'

/** The options of every command that works on what is stored of a tenant. */
export interface StoredOptions extends KeysOptions {
  readonly tenant: string
  readonly json?: boolean
}

/** Lends the stored keys of the configuration, and who is working on them: the user of this system. */
export async function withStored<T>(
  options: KeysOptions & { readonly tenant?: string; readonly create?: boolean },
  use: (stored: OpenedManagement, operator: Operator) => Promise<T>,
): Promise<T> {
  const config = readKeysConfig(options, 'what is stored')
  const stored = await openManagement(config, { create: options.create ?? false })
  for (const notice of stored.notices) process.stderr.write(`keyspring: ${notice}\n`)
  try {
    return await use(stored, {
      tenant: options.tenant ?? 'default',
      actor: { method: 'cli', id: userInfo().username },
      requestId: randomUUID(),
    })
  } finally {
    await stored.close()
  }
}

/** A kid as it was typed. */
export function readKid(option: string, text: string): Kid {
  const kid = toKid(text)
  if (kid === undefined) throw new KeyProviderError('ERR_USAGE_INVALID', `${option}: expected a UUID`)
  return kid
}

/** A whole number as it was typed. */
export function readCount(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new KeyProviderError('ERR_USAGE_INVALID', `${option}: expected a whole number`)
}

/** How often keys were asked for. */
export function askedFor(requests: number): string {
  return requests === 1 ? 'asked for once' : `asked for ${requests} times`
}

/** Prints a result: as JSON, or a line each of what `lines` makes of it. */
export function printResult<T>(json: boolean | undefined, result: T, lines: (result: T) => readonly string[]): void {
  if (json === true) process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`)
  else for (const line of lines(result)) process.stdout.write(`${printable(line)}\n`)
}
