import type { Command } from 'commander'

/** Adds `keyspring completions` and `keyspring man`: both are made from the commands themselves. */
export function addCompletionsCommand(program: Command): void {
  const completions = program.command('completions').description('print what completes commands in a shell')
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    completions
      .command(shell)
      .description(`for ${shell}`)
      .action(async () => void process.stdout.write((await import('./completions.ts')).COMPLETIONS[shell](program)))
  }
  program
    .command('man')
    .description('print the manual page')
    .action(async () => void process.stdout.write((await import('./man-page.ts')).manPage(program)))
}
