/** The parameters of a credential or challenge by lower-case name, or undefined when they are malformed or one comes twice. @see RFC 9110, 11.2 */
export function readAuthParams(text: string): ReadonlyMap<string, string> | undefined {
  const params = new Map<string, string>()
  PARAM.lastIndex = 0
  while (PARAM.lastIndex < text.length) {
    const [, name = '', quoted, token = ''] = PARAM.exec(text) ?? []
    const key = name.toLowerCase()
    if (key === '' || params.has(key)) return undefined
    params.set(key, quoted === undefined ? token : quoted.replace(/\\(.)/gs, '$1'))
  }
  return params
}

/** One parameter and what parts it from the next. No two parts of it can match the same text: it is linear. */
const PARAM = /[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))[ \t]*(?:,|$)/gsy
