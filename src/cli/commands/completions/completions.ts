import type { Command } from 'commander'
import { examples } from '../../shared/options.ts'
import type { World } from '../../shared/world.ts'
import { manPage } from './man-page.ts'
import { COMPLETIONS } from './scripts.ts'

/** Where each shell looks for the script. */
const INSTALLED = {
  bash: '~/.local/share/bash-completion/completions/keyspring',
  zsh: '~/.zfunc/_keyspring',
  fish: '~/.config/fish/completions/keyspring.fish',
} as const

/** Defines `keyspring completions bash|zsh|fish`. The scripts are made from the commands themselves. */
export function defineCompletions(completions: Command, { stdout }: World): void {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    completions
      .command(shell)
      .description(`print the script for ${shell}`)
      .addHelpText('after', examples(`keyspring completions ${shell} > ${INSTALLED[shell]}`))
      .action(() => stdout.write(COMPLETIONS[shell](programOf(completions))))
  }
}

/** Defines `keyspring man`. The page is made from the commands themselves. */
export function defineMan(man: Command, { stdout }: World): void {
  man
    .addHelpText('after', examples('keyspring man > /usr/local/share/man/man1/keyspring.1'))
    .action(() => stdout.write(manPage(programOf(man))))
}

function programOf(command: Command): Command {
  return command.parent ?? command
}
