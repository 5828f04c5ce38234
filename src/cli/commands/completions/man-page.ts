import type { Command } from 'commander'
import { argumentsOf, helpAfterOptions, optionsOf, pathOf, subcommandsOf } from './command-tree.ts'

/** The manual page of the program, in the format of man(7), from its help. */
export function manPage(program: Command): string {
  const commands = subcommandsOf(program).filter(
    (command) => command.commands.length === 0 || command.registeredArguments.length > 0,
  )
  return `${[
    '.\\" Made by "keyspring man > man/keyspring.1"; do not edit.',
    `.TH KEYSPRING 1 "" "keyspring ${program.version() ?? ''}" "User Commands"`,
    '.SH NAME',
    `keyspring \\- ${roff(sentence(program.description()))}`,
    '.SH SYNOPSIS',
    ...commands.flatMap((command) => ['.nf', synopsis(command), '.fi']),
    '.SH DESCRIPTION',
    roff(program.description()),
    roff(
      'The docs folder of the package has the guides and the reference. Set every setting of the server in its configuration file or in a variable KEYSPRING_*.',
    ),
    '.SH OPTIONS',
    ...options(program),
    '.SH COMMANDS',
    ...commands.flatMap((command) => [
      `.SS "${roff(pathOf(command).join(' '))}"`,
      roff(sentence(command.description())),
      ...argumentLines(command),
      ...options(command),
      ...verbatim(helpAfterOptions(command)),
    ]),
    '.SH ENVIRONMENT',
    '.TP',
    '.B KEYSPRING_*',
    roff('settings, by name; for each secret, KEYSPRING_*_FILE names a file instead'),
    '.TP',
    '.B NO_COLOR',
    roff('no colours, even on a terminal'),
    '.SH "EXAMPLES AND EXIT STATUS"',
    ...verbatim(helpAfterOptions(program)),
  ].join('\n')}\n`
}

function synopsis(command: Command): string {
  const parts = [
    `\\fBkeyspring ${roff(pathOf(command).join(' '))}\\fR`,
    '[\\fIoptions\\fR]',
    `\\fI${roff(argumentsOf(command))}\\fR`,
  ]
  return parts.filter((part) => part !== '\\fI\\fR').join(' ')
}

function argumentLines(command: Command): readonly string[] {
  return command.registeredArguments.flatMap((argument) => [
    '.TP',
    `\\fI${roff(argument.name())}\\fR`,
    roff(argument.description),
  ])
}

function options(command: Command): readonly string[] {
  const help = command.createHelp()
  return optionsOf(command).flatMap((option) => [
    '.TP',
    `\\fB${roff(help.optionTerm(option))}\\fR`,
    roff(help.optionDescription(option)),
  ])
}

function verbatim(text: string): readonly string[] {
  return text === '' ? [] : ['.PP', '.nf', ...text.split('\n').map(roff), '.fi']
}

function sentence(text: string): string {
  return text.replace(/\.$/, '')
}

/** Text for roff: with hyphens that can be copied, and no line that starts like a request. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replaceAll(/^([.'])/gm, '\\&$1')
    .replaceAll(
      /[^\n -~]/g,
      (character) => `\\[u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    )
}
