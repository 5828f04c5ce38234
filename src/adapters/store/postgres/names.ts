/** A name as PostgreSQL can keep it: its text has no U+0000. Every other name but one with a backslash stays as it is. */
export function escapeName(name: string): string {
  return name.replaceAll('\\', '\\\\').replaceAll('\0', '\\0')
}

/** The name that was escaped. */
export function unescapeName(text: string): string {
  return text.replaceAll(/\\([\\0])/g, (_, escaped: string) => (escaped === '0' ? '\0' : '\\'))
}
