import { readFileSync } from 'node:fs'

/** The version of this package. */
export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }
  return version
}

declare const KEYSPRING_VERSION: string | undefined

/** The version that a bundle was made of: it has no package beside it. */
export function bundledVersion(): string {
  return typeof KEYSPRING_VERSION === 'string' ? KEYSPRING_VERSION : packageVersion()
}
