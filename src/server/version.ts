import { readFileSync } from 'node:fs'

/** The build of a bundle sets it: a bundle has no package.json beside it. */
declare const KEYSPRING_VERSION: string | undefined

/** The version of this package. */
export function packageVersion(): string {
  if (typeof KEYSPRING_VERSION === 'string') return KEYSPRING_VERSION
  const file = new URL('../../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }
  return version
}
