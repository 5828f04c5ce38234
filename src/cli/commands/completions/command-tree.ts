import type { Command, Option } from 'commander'

/** Every command below `command`, in the order of the help, parents first. */
export function subcommandsOf(command: Command): readonly Command[] {
  return command.commands.flatMap((one) => [one, ...subcommandsOf(one)])
}

/** The words that lead to a command, without the name of the program. */
export function pathOf(command: Command): readonly string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()]
}

/** The options of a command as its help lists them, including --help. */
export function optionsOf(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command)
}

/** The arguments of a command as its usage names them. */
export function argumentsOf(command: Command): string {
  return command.registeredArguments
    .map((one) => {
      const name = `${one.name()}${one.variadic ? '...' : ''}`
      return one.required ? `<${name}>` : `[${name}]`
    })
    .join(' ')
}

/** The kind of value of an option: one of some words, a file or directory, anything, or nothing. */
export function valueKindOf({
  argChoices,
  flags,
  required,
  optional,
}: Option): 'nothing' | 'words' | 'file' | 'anything' {
  if (!required && !optional) return 'nothing'
  if (argChoices !== undefined) return 'words'
  return /<[^>]*\b(?:file|dir)\b/.test(flags) ? 'file' : 'anything'
}

/** The part of a command's help after its options: examples, exit codes. */
export function helpAfterOptions(command: Command): string {
  const parts: string[] = []
  const before = command.configureOutput()
  command.configureOutput({ ...before, writeOut: (text) => void parts.push(text) })
  command.outputHelp()
  command.configureOutput(before)
  return parts.join('').slice(command.helpInformation().length).trim()
}
