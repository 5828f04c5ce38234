import { createColors } from 'picocolors'

/** Whether to colour what goes to `stream`: only a terminal that shows colours, unless NO_COLOR says no. @see https://no-color.org */
export function wantsColours(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && environment.TERM !== 'dumb' && (environment.NO_COLOR ?? '') === ''
}

/** The colours for standard output. */
export function stdoutColours(): ReturnType<typeof createColors> {
  return createColors(wantsColours(process.stdout, process.env))
}
