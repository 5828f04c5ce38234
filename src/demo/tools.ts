import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

const SYSTEM: Readonly<Record<string, string>> = { linux: 'linux', darwin: 'osx', win32: 'win' }

/** The Shaka Packager that npm ships, for this machine. */
const PACKAGER = fileURLToPath(
  new URL(
    `../../node_modules/shaka-packager/bin/packager-${SYSTEM[process.platform]}-${process.arch}${process.platform === 'win32' ? '.exe' : ''}`,
    import.meta.url,
  ),
)

/** Runs Shaka Packager in a folder. */
export async function packager(folder: string, args: readonly string[]): Promise<void> {
  if (!existsSync(PACKAGER)) {
    throw new Error(
      `there is no Shaka Packager for ${process.platform} ${process.arch} in node_modules: run npm ci in a clone`,
    )
  }
  await run(PACKAGER, [...args, '--quiet'], { cwd: folder, timeout: 120_000 })
}

/** Runs FFmpeg in a folder; what it printed. */
export async function ffmpeg(folder: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args], { cwd: folder, timeout: 120_000 })
  return stdout
}

/** Whether this machine has FFmpeg, and its filter when one is named. */
export async function hasFfmpeg(filter?: string): Promise<boolean> {
  try {
    const { stdout } = await run('ffmpeg', ['-v', 'error', '-filters'])
    return filter === undefined || new RegExp(`\\s${filter}\\s`).test(stdout)
  } catch {
    // Not installed: callers say so.
    return false
  }
}
