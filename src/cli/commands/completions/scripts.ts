import type { Command, Option } from 'commander'
import { optionsOf, pathOf, subcommandsOf, valueKindOf } from './command-tree.ts'

/** The scripts that complete commands, by shell. Each finds the command by its words, then offers what its help lists. */
export const COMPLETIONS: Readonly<Record<'bash' | 'zsh' | 'fish', (program: Command) => string>> = {
  bash: (program) => bash(commandsOf(program)),
  zsh: (program) => zsh(commandsOf(program)),
  fish: (program) => fish(commandsOf(program)),
}

interface Completed {
  /** The words of the command, joined by `/`; '' for the program. */
  readonly path: string
  readonly subcommands: readonly Command[]
  readonly options: readonly Option[]
}

function commandsOf(program: Command): readonly Completed[] {
  return [program, ...subcommandsOf(program)].map((command) => ({
    path: pathOf(command).join('/'),
    subcommands: command.commands,
    options: optionsOf(command),
  }))
}

function flagsOf({ long, short }: Option): readonly string[] {
  return [long, short].flatMap((flag) => flag ?? [])
}

/** The pattern of a shell's `case` that matches every command path. */
function walk(commands: readonly Completed[]): string {
  const paths = commands.map(({ path }) => path).filter((path) => path !== '')
  return paths.map((path) => `'${path}'`).join('|')
}

function bash(commands: readonly Completed[]): string {
  const values = commands.flatMap(({ path, options }) =>
    options.flatMap((option) => {
      const patterns = flagsOf(option)
        .map((flag) => `'${path} ${flag}'`)
        .join('|')
      const kind = valueKindOf(option)
      if (kind === 'words')
        return [
          `    ${patterns}) COMPREPLY=($(compgen -W ${quote((option.argChoices ?? []).join(' '))} -- "$cur")); return ;;`,
        ]
      if (kind === 'file') return [`    ${patterns}) COMPREPLY=($(compgen -f -- "$cur")); return ;;`]
      return kind === 'anything' ? [`    ${patterns}) return ;;`] : []
    }),
  )
  const words = commands.map(({ path, subcommands, options }) => {
    const names = [...subcommands.map((one) => one.name()), ...options.flatMap(flagsOf)]
    return `    '${path}') words=${quote(names.join(' '))} ;;`
  })
  return `# bash completion for keyspring; made by "keyspring completions bash"
_keyspring() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" at='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${at:+$at/}$word" in
    ${walk(commands)}) at="\${at:+$at/}$word" ;;
    esac
  done
  COMPREPLY=()
  case "$at $prev" in
${values.join('\n')}
  esac
  case "$at" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _keyspring keyspring
`
}

function zsh(commands: readonly Completed[]): string {
  const values = commands.flatMap(({ path, options }) =>
    options.flatMap((option) => {
      const patterns = flagsOf(option)
        .map((flag) => `'${path} ${flag}'`)
        .join('|')
      const kind = valueKindOf(option)
      if (kind === 'words')
        return [`    ${patterns}) compadd -- ${(option.argChoices ?? []).map(quote).join(' ')}; return ;;`]
      if (kind === 'file') return [`    ${patterns}) _files; return ;;`]
      return kind === 'anything' ? [`    ${patterns}) return ;;`] : []
    }),
  )
  const described = (name: string, description: string): string =>
    quote(`${name.replaceAll(':', '\\:')}:${description}`)
  const words = commands.map(({ path, subcommands, options }) => {
    const names = subcommands.map((one) => described(one.name(), one.description()))
    const flags = options.flatMap((option) => flagsOf(option).map((flag) => described(flag, option.description)))
    return `    '${path}') commands=(${names.join(' ')}) flags=(${flags.join(' ')}) ;;`
  })
  return `#compdef keyspring
# zsh completion for keyspring; made by "keyspring completions zsh"
_keyspring() {
  local at='' word
  local -a commands flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${at:+$at/}$word" in
    ${walk(commands)}) at="\${at:+$at/}$word" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  case "$at" in
${words.join('\n')}
  esac
  (( \${#commands} )) && _describe -t commands command commands
  _describe -o -t options option flags
  (( \${#commands} )) || _files
}
if [[ "\${funcstack[1]}" == _keyspring ]]; then _keyspring "$@"; else compdef _keyspring keyspring; fi
`
}

function fish(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ path, subcommands, options }) => {
    const here = `complete -c keyspring -n ${quoteFish(`__keyspring_at '${path}'`)}`
    return [
      ...subcommands.map((one) => `${here} -f -a ${quoteFish(one.name())} -d ${quoteFish(one.description())}`),
      ...options.map((option) => `${here}${fishOption(option)} -d ${quoteFish(option.description)}`),
    ]
  })
  return `# fish completion for keyspring; made by "keyspring completions fish"
function __keyspring_at
    set -l at
    for word in (commandline -opc)[2..-1]
        set -l next (string join -- / $at $word)
        contains -- $next ${commands.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`])).join(' ')}; and set at $next
    end
    test "$at" = "$argv[1]"
end
${lines.join('\n')}
`
}

function fishOption(option: Option): string {
  const { long, short, argChoices } = option
  const flags = [
    ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
  ]
  const kind = valueKindOf(option)
  const value = {
    nothing: '',
    anything: ' -x',
    file: ' -r -F',
    words: ` -x -a ${quoteFish((argChoices ?? []).join(' '))}`,
  }[kind]
  return ` ${flags.join(' ')}${value}`
}

/** Any text as one word of bash or zsh. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** Any text as one word of fish, which reads backslashes inside quotes. */
function quoteFish(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
