import { execFileSync } from 'node:child_process'

// What `npm run e2e` needs beyond npm: the browser and FFmpeg of Debian. It installs what is missing, and says so.

const NEEDED = ['chromium', 'ffmpeg']
const missing = NEEDED.filter((program) => !isThere(program))

if (missing.length > 0) {
  console.log(`e2e: ${missing.join(' and ')} not found, installing by apt-get`)
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args: readonly string[]) =>
    execFileSync('apt-get', [...args], { stdio: ['ignore', 'ignore', 'inherit'], env: environment })
  try {
    apt('update', '-qq')
    apt('install', '-y', '-qq', ...missing, 'fonts-dejavu-core')
  } catch {
    console.error(`e2e: cannot install ${missing.join(' and ')}: install them, or run this as root on Debian`)
    process.exit(1)
  }
}
for (const program of NEEDED) console.log(`e2e: ${versionOf(program)}`)

function isThere(program: string): boolean {
  try {
    return versionOf(program) !== ''
  } catch {
    return false
  }
}

function versionOf(program: string): string {
  const flag = program === 'ffmpeg' ? '-version' : '--version'
  return execFileSync(program, [flag], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0] ?? ''
}
