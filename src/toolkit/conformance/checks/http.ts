import { type Ask, type SpekeHeader, V2 } from '../asking.ts'
import type { Check, Step } from '../check.ts'

const VERSIONS: readonly SpekeHeader[] = ['1.0', ...V2]

/** Other valid headers. */
const HEADERS: readonly (readonly [name: string, title: string, headers: Step['headers']])[] = [
  ['charset', 'a charset in Content-Type', { 'Content-Type': 'application/xml; charset=utf-8' }],
  ['charset-upper', 'a charset in upper case', { 'Content-Type': 'application/xml;charset=UTF-8' }],
  ['accept', 'an Accept header', { Accept: 'application/xml' }],
  ['unknown', 'unknown headers', { 'X-Amzn-Trace-Id': 'Root=1-00000000-000000000000000000000000' }],
]

/** Checks of headers and status of valid requests. */
export function httpChecks(ask: Ask): readonly Check[] {
  return VERSIONS.flatMap((speke) => {
    const built = ask({ speke, content: 'http', ...(speke === '1.0' ? { drm: ['widevine'] } : { video: 'SHARED' }) })
    if (built === undefined) return []
    const step: Step = { xml: built.xml, version: built.version }
    const usual: Check = {
      name: `http/${speke}/usual`,
      group: 'http',
      title: `answers SPEKE ${speke} with status 200 and its headers`,
      steps: [step],
    }
    const other = HEADERS.map(
      ([name, title, headers = {}]): Check => ({
        name: `http/${speke}/${name}`,
        group: 'http',
        title: `answers a request with ${title}`,
        steps: [{ ...step, headers }],
      }),
    )
    return [usual, ...other]
  })
}
