import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

const SYSTEM: Readonly<Record<string, string>> = { linux: 'linux', darwin: 'osx', win32: 'win' }

/** The Shaka Packager from npm for this platform. */
export const PACKAGER = fileURLToPath(
  new URL(
    `../../node_modules/shaka-packager/bin/packager-${SYSTEM[process.platform]}-${process.arch}${process.platform === 'win32' ? '.exe' : ''}`,
    import.meta.url,
  ),
)

/** Runs Shaka Packager in a folder. */
export async function packager(folder: string, args: readonly string[]): Promise<void> {
  if (!existsSync(PACKAGER)) {
    throw new Error(
      `node_modules has no Shaka Packager for ${process.platform} ${process.arch}: run npm ci in a clone of the repository`,
    )
  }
  await run(PACKAGER, [...args, '--quiet'], { cwd: folder, timeout: 120_000 })
}

/** Runs FFmpeg in a folder and returns its standard output. */
export async function ffmpeg(folder: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args], { cwd: folder, timeout: 120_000 })
  return stdout
}

/** Whether FFmpeg is installed, and has `filter` if given. */
export async function hasFfmpeg(filter?: string): Promise<boolean> {
  try {
    const { stdout } = await run('ffmpeg', ['-v', 'error', '-filters'])
    return filter === undefined || new RegExp(`\\s${filter}\\s`).test(stdout)
  } catch {
    // FFmpeg is not installed; the caller reports it.
    return false
  }
}
