import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Examination, fine, type HealthFinding } from './finding.ts'

const MB = 1024 * 1024
const SCARCE_BYTES = 1024 * MB
const EXHAUSTED_BYTES = 64 * MB

/** The directory that the store, the root key and the audit log are in: who may read it, whether it is writable, how much fits. */
export async function examineMachine({ config }: Examination): Promise<readonly HealthFinding[]> {
  const check = 'data'
  const directory = resolve(config.data)
  if (config.store === 'memory') return [fine(check, 'the store is in memory: nothing is kept on disk')]
  if (!existsSync(directory)) return [absent(check, directory)]
  return [...examineAccess(check, directory), examineSpace(check, directory)]
}

function absent(check: string, directory: string): HealthFinding {
  const parent = dirname(directory)
  if (existsSync(parent)) {
    const found = `${directory} is not there yet: the first start makes it, with a store and a root key`
    return { check, health: 'note', found, mend: 'if there should be keys already, correct `data`' }
  }
  const found = `${directory} is not there, nor is the directory it would be in`
  return { check, health: 'error', found, mend: `make ${parent}, or correct \`data\`` }
}

function examineAccess(check: string, directory: string): readonly HealthFinding[] {
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch {
    const found = `${directory} cannot be written by the user that runs this`
    return [
      { check, health: 'error', found, mend: 'run this as the user of the server, or give that user the directory' },
    ]
  }
  const mode = statSync(directory).mode & 0o777
  if ((mode & 0o077) === 0) return [fine(check, `${directory} is its owner's alone`)]
  const found = `${directory} can be entered by other users (mode ${mode.toString(8)})`
  return [{ check, health: 'warning', found, mend: `chmod 700 ${directory}` }]
}

function examineSpace(check: string, directory: string): HealthFinding {
  const { bavail, bsize } = statfsSync(directory)
  const free = bavail * bsize
  const found = `${Math.floor(free / MB)} MB are free on its disk`
  if (free >= SCARCE_BYTES) return fine(check, found)
  const mend = 'free some space: a store that cannot write gives no keys to new contents'
  return { check, health: free < EXHAUSTED_BYTES ? 'error' : 'warning', found, mend }
}
