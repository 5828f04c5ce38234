/** Values of the variables of a playlist; undefined for one that another playlist or the URL defines. */
export type Variables = ReadonlyMap<string, string | undefined>

/** The variables that EXT-X-DEFINE lines define. @see RFC 8216bis, 4.3 and 4.4.2.3 */
export function readVariables(lines: readonly string[]): Variables {
  const variables = new Map<string, string | undefined>()
  for (const line of lines) {
    if (!line.startsWith('#EXT-X-DEFINE:') || variables.size >= MAX_VARIABLES) continue
    const attribute = (name: string): string | undefined => new RegExp(`[:,]\\s*${name}="([^"]*)"`).exec(line)?.[1]
    const name = attribute('NAME')
    const elsewhere = attribute('IMPORT') ?? attribute('QUERYPARAM')
    if (name !== undefined) variables.set(name, attribute('VALUE'))
    else if (elsewhere !== undefined) variables.set(elsewhere, undefined)
  }
  return variables
}

const MAX_VARIABLES = 1000
const MAX_VALUE = 64 * 1024

/** A value with its variables replaced, and the names of those whose value is not known here. */
export function replaceVariables(
  text: string,
  variables: Variables,
): { readonly value: string; readonly unknown: readonly string[] } {
  const unknown: string[] = []
  const value = text.replaceAll(/\{\$([\w-]+)\}/g, (whole, name: string) => {
    const known = variables.get(name)
    if (known === undefined || known.length > MAX_VALUE) unknown.push(name)
    return known ?? whole
  })
  return { value, unknown }
}
