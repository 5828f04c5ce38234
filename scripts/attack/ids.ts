import { escapeAttribute } from '../../src/formats/xml/markup.ts'
import type { Attack, Group, Outcome } from './case.ts'
import { SOUND, withContentId } from './documents.ts'

/** Ids that mean something to a file system, a shell, a database, a URL, HLS, XML, HTTP, or nobody. */
const IDS: readonly string[] = [
  '../',
  '../../../../etc/passwd',
  '..\\..\\windows\\win.ini',
  '/etc/passwd',
  'file:///etc/passwd',
  '.',
  '..',
  '~',
  '-',
  '--help',
  '%00',
  '%2e%2e%2f',
  '%252e%252e%252f',
  '%0d%0aSet-Cookie: a=b',
  '\\u0000',
  "' OR '1'='1",
  "'; DROP TABLE content; --",
  '" OR ""="',
  '$(id)',
  '`id`',
  '$'.concat('{jndi:ldap://127.0.0.1/a}'),
  '{{7*7}}',
  '#{7*7}',
  '| cat /etc/passwd',
  '*',
  '?a=b#c',
  'a b',
  ' a ',
  'a\nb',
  'a\r\nb',
  'a\tb',
  'a\n#EXT-X-KEY:METHOD=NONE',
  'a",URI="http://evil.example/',
  'a\r\nX-Injected: yes',
  '<script>alert(1)</script>',
  ']]>',
  '&amp;',
  '&#x22;',
  '<!--',
  '"\'<>&',
  '\u202egnp.exe',
  '\u200b',
  '\ufeff',
  '😀',
  '👨‍👩‍👧‍👦',
  'e\u0301',
  'é',
  '\u0130',
  'ﷺ'.repeat(20),
  '𝒳'.repeat(256),
  'constructor',
  '__proto__',
  'null',
  'undefined',
  'NaN',
  '[object Object]',
  'CON',
  'a'.repeat(256),
  '\u00a0',
  '\u2028',
  '\u0085',
  '٠١٢',
  '{kid}',
  '{contentId}',
  '{keyUrl}',
]

/** Ids that XML cannot even hold. */
const IMPOSSIBLE: readonly (readonly [name: string, escaped: string])[] = [
  ['NUL', '&#0;'],
  ['BEL', '&#7;'],
  ['ESC', '&#27;'],
  ['U+FFFE', '&#xFFFE;'],
  ['half a pair', '&#xD83D;'],
  ['nothing', ''],
]

const HLS_LINE = /^#EXT-X-(?:SESSION-)?KEY:[^\r\n]*$/

/** Whether an id left the place it belongs to. */
function escaped({ text }: Outcome): string | undefined {
  const [head = '', body = ''] = text.split(/\n\n(.*)/s)
  if (/^(?:x-injected|set-cookie)/im.test(head)) return 'it became a header'
  for (const [, data = ''] of body.matchAll(/<cpix:HLSSignalingData[^>]*>([^<]+)</g)) {
    const line = Buffer.from(data, 'base64').toString()
    if (!HLS_LINE.test(line.replace(/\n$/, ''))) return 'it broke an HLS line'
    if ((line.match(/URI=/g) ?? []).length > 1) return 'it made a second URI'
  }
  if (/root:x:0|\[fonts\]/.test(body)) return 'it read a file'
  return body.startsWith(SOUND.slice(0, 12)) ? undefined : 'it broke the answer'
}

const asId = (id: string): Attack => ({
  name: JSON.stringify(id.length > 28 ? `${id.slice(0, 28)}…` : id),
  expected: [200],
  send: (target) => target.post(withContentId(escapeAttribute(id))),
  problem: escaped,
})

export const CONTENT_IDS: Group = {
  name: 'contentId',
  attacks: [
    ...IDS.map(asId),
    ...IMPOSSIBLE.map(
      ([name, text]): Attack => ({ name, expected: [400, 422], send: (target) => target.post(withContentId(text)) }),
    ),
  ],
}

export const KEY_URLS: Group = {
  name: 'paths of players',
  attacks: [
    '..',
    '%2e%2e',
    '%2e%2e%2f%2e%2e',
    '~',
    '~Li4',
    '%00',
    '~AA',
    '%ff',
    '~/w',
    '__proto__',
    'a'.repeat(4_000),
    `~${'A'.repeat(4_000)}`,
    '%0d%0aX-Injected:%20yes',
    '*',
  ].map(
    (segment): Attack => ({
      name: `/keys/default/${segment.slice(0, 30)}/…`,
      expected: [404, 403, 401],
      send: (target) =>
        target
          .post('', {}, `/keys/default/${segment}/x`)
          .then((outcome) => ({ ...outcome, status: outcome.status === 405 ? 404 : outcome.status })),
    }),
  ),
}
