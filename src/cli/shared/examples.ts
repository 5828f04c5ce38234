import type { Command } from 'commander'
import { pathOf, subcommandsOf } from './command-tree.ts'

/** What to type, for commands whose help has no examples of its own. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  serve: [
    'keyspring serve',
    'keyspring serve --config keyspring.yaml',
    'keyspring serve --host 0.0.0.0 --port 8080 --public-url https://keys.example.com --config keyspring.yaml',
  ],
  'config check': ['keyspring config check --config keyspring.yaml'],
  'config init': [
    'keyspring config init --encryptor generic',
    'keyspring config init --encryptor mediapackage-v2 --out keyspring.yaml',
  ],
  'override add': [
    'keyspring override add --content-id film --kid 9eb4050d-e44b-4802-932e-27d75083e266 --key-file key.hex',
    'keyspring override add --content-id film --track-type AUDIO --new-kid 9eb4050d-e44b-4802-932e-27d75083e266',
  ],
  'override list': ['keyspring override list --content-id film --json'],
  'override remove': [
    'keyspring override remove --content-id film --kid 9eb4050d-e44b-4802-932e-27d75083e266',
    'keyspring override remove --content-id film --rule --track-type AUDIO',
  ],
  'keys list': ['keyspring keys list --content-id film'],
  'keys show': ['keyspring keys show --content-id film --kid 9eb4050d-e44b-4802-932e-27d75083e266'],
  'keys delete': [
    "keyspring keys delete --content-id film --kid 9eb4050d-e44b-4802-932e-27d75083e266 --force --reason 'imported twice'",
  ],
  'contents list': [
    'keyspring contents list --starts-with live-',
    'keyspring contents list --tenant studio --contains news --limit 20 --json',
  ],
  'contents show': ['keyspring contents show --content-id live-7'],
  'contents periods': ['keyspring contents periods --content-id live-7 --expected 3 --json'],
  'contents hold': ["keyspring contents hold --content-id live-7 --reason 'case 2026-17'"],
  'contents release': ["keyspring contents release --content-id live-7 --reason 'case closed'"],
  'contents delete': ["keyspring contents delete --content-id live-7 --reason 'rights ended'"],
  'contents sweep': [
    'keyspring contents sweep --dry-run --config keyspring.yaml',
    'keyspring contents sweep --config keyspring.yaml',
  ],
  'kids show': ['keyspring kids show 9eb4050d-e44b-4802-932e-27d75083e266'],
  'audit verify': [
    'keyspring audit verify --config keyspring.yaml',
    'keyspring audit verify --directory archive --since 2026-11-01 --node keys-1 --json',
  ],
  'token mint': ["keyspring token mint --content-id 'film-*' --ttl 6h --config keyspring.yaml"],
  'token sign-url': [
    'keyspring token sign-url --content-id film --kid 9eb4050d-e44b-4802-932e-27d75083e266 --config keyspring.yaml',
    'keyspring token sign-url --content-id film --license --ttl 10m --config keyspring.yaml',
  ],
  'client add': [
    'keyspring client add --name packager --config keyspring.yaml',
    "keyspring client add --name packager --method digest --id encoder --content-id 'film-*'",
    'keyspring client add --name license-server --scope keys:resolve --config keyspring.yaml',
  ],
  'client list': ['keyspring client list --config keyspring.yaml'],
  'client rotate': ['keyspring client rotate --name packager'],
  'client remove': ['keyspring client remove --name packager'],
  'store migrate': ['keyspring store migrate --config keyspring.yaml'],
  'store copy': ['keyspring store copy --from sqlite:./data --to config:postgres.yaml'],
  'store backup': ['keyspring store backup --out keys.backup --passphrase-file passphrase.txt'],
  'store restore': [
    'keyspring store restore --from keys.backup --passphrase-file passphrase.txt --drill',
    'keyspring store restore --from keys.backup --passphrase-file passphrase.txt --data ./data',
  ],
  'keyring status': ['keyspring keyring status --config keyspring.yaml'],
  'keyring rotate': ['keyspring keyring rotate', 'keyspring keyring rotate --data-keys'],
  'keyring rewrap': ['keyspring keyring rewrap --remove-old'],
  'completions bash': ['keyspring completions bash > ~/.local/share/bash-completion/completions/keyspring'],
  'completions zsh': ['keyspring completions zsh > ~/.zfunc/_keyspring'],
  'completions fish': ['keyspring completions fish > ~/.config/fish/completions/keyspring.fish'],
  man: ['keyspring man > /usr/local/share/man/man1/keyspring.1'],
}

/** Adds examples to the help of every command that has some here. */
export function addExamples(program: Command): void {
  for (const command of subcommandsOf(program)) {
    const name = pathOf(command).join(' ')
    const examples = Object.hasOwn(EXAMPLES, name) ? EXAMPLES[name] : undefined
    if (examples !== undefined)
      command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`)
  }
}
