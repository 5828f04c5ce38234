import { createSecretKey, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type PassphraseCost, passphraseKey } from '../../../adapters/root-keys/passphrase.ts'
import type { Secret } from '../../../core/secret.ts'

/** The key that encrypts an archive, from its passphrase. */
export async function archiveKey(
  passphrase: Secret<string>,
  salt: Uint8Array,
  cost: PassphraseCost,
): Promise<KeyObject> {
  const bytes = await passphraseKey(passphrase, salt, cost)
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

/** Gives `work` a temporary directory on the same disk as `near`, and deletes it. */
export async function withScratch(near: string, work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(near, '.keyspring-'))
  try {
    await work(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}
