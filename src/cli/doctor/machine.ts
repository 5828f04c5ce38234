import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Examination, fine, type HealthFinding } from './finding.ts'

const MB = 1024 * 1024
const SCARCE_BYTES = 1024 * MB
const EXHAUSTED_BYTES = 64 * MB

/** Checks the directory of the store, the root key and the audit log: permissions and free space. */
export async function examineMachine({ config }: Examination): Promise<readonly HealthFinding[]> {
  const check = 'data'
  const directory = config.data
  if (config.store === 'memory') return [fine(check, 'the store is in memory: nothing is kept on disk')]
  if (!existsSync(directory)) return [absent(check, directory)]
  return [...examineAccess(check, directory), examineSpace(check, directory)]
}

function absent(check: string, directory: string): HealthFinding {
  const parent = dirname(directory)
  if (existsSync(parent)) {
    const found = `${directory} does not exist yet: the first start creates it, with a store and a root key`
    return { check, health: 'note', found, fix: 'if keys should exist already, correct `data`' }
  }
  const found = `${directory} does not exist, nor does its parent directory`
  return { check, health: 'error', found, fix: `create ${parent}, or correct \`data\`` }
}

function examineAccess(check: string, directory: string): readonly HealthFinding[] {
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch {
    const found = `${directory} is not writable by the current user`
    return [
      { check, health: 'error', found, fix: 'run this as the user of the server, or give that user the directory' },
    ]
  }
  const mode = statSync(directory).mode & 0o777
  if ((mode & 0o077) === 0) return [fine(check, `${directory} is accessible only to its owner`)]
  const found = `${directory} can be entered by other users (mode ${mode.toString(8)})`
  return [{ check, health: 'warning', found, fix: `chmod 700 ${directory}` }]
}

function examineSpace(check: string, directory: string): HealthFinding {
  const { bavail, bsize } = statfsSync(directory)
  const free = bavail * bsize
  const found = `${Math.floor(free / MB)} MB are free on its disk`
  if (free >= SCARCE_BYTES) return fine(check, found)
  const fix = 'free some space: with a full disk, new contents get no keys'
  return { check, health: free < EXHAUSTED_BYTES ? 'error' : 'warning', found, fix }
}
