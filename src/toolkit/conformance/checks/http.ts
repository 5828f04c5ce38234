import { type Ask, type SpekeHeader, V2 } from '../asking.ts'
import type { Check, Step } from '../check.ts'

const VERSIONS: readonly SpekeHeader[] = ['1.0', ...V2]

/** Headers that are right in another way. @see speke.md 2 */
const HEADERS: readonly (readonly [name: string, title: string, headers: Step['headers']])[] = [
  ['charset', 'a charset in Content-Type', { 'Content-Type': 'application/xml; charset=utf-8' }],
  ['charset-upper', 'a charset in upper case', { 'Content-Type': 'application/xml;charset=UTF-8' }],
  ['accept', 'an Accept header', { Accept: 'application/xml' }],
  ['unknown', 'headers that nobody knows', { 'X-Amzn-Trace-Id': 'Root=1-00000000-000000000000000000000000' }],
]

/** Headers and status of right requests. */
export function httpChecks(ask: Ask): readonly Check[] {
  return VERSIONS.flatMap((speke) => {
    const built = ask({ speke, content: 'http', ...(speke === '1.0' ? { drm: ['widevine'] } : { video: 'SHARED' }) })
    if (built === undefined) return []
    const step: Step = { xml: built.xml, version: built.version }
    const usual: Check = {
      name: `http/${speke}/usual`,
      group: 'http',
      title: `SPEKE ${speke} is answered with status 200 and its headers`,
      steps: [step],
    }
    const other = HEADERS.map(
      ([name, title, headers = {}]): Check => ({
        name: `http/${speke}/${name}`,
        group: 'http',
        title: `answered: ${title}`,
        steps: [{ ...step, headers }],
      }),
    )
    return [usual, ...other]
  })
}
