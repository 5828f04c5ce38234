import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { checkConfigurationFiles } from '../../../server/assemble/configuration-files.ts'
import { readConfig } from '../../../server/config/config.ts'
import type { ConfigFlags } from '../../../server/config/sources.ts'
import { examples } from '../../shared/options.ts'
import { type World, writeNewFile } from '../../shared/world.ts'
import { type ConfiguredEncryptor, ENCRYPTOR_NAMES, firstConfiguration } from './first-configuration.ts'

/** Defines `keyspring config check` and `keyspring config init`. */
export function defineConfig(config: Command, world: World): void {
  config
    .command('check')
    .description('report every problem of the configuration')
    .option('--config <file>', 'YAML file of settings')
    .option('--host <host>', 'as for keyspring serve')
    .option('--public-url <url>', 'as for keyspring serve')
    .option('--allow-anonymous', 'as for keyspring serve')
    .addHelpText('after', examples('keyspring config check --config keyspring.yaml'))
    .action((options: CheckOptions) => check(options, world))
  config
    .command('init')
    .description('write a first configuration')
    .addOption(
      new Option('--encryptor <name>', 'the encryptor that will request keys')
        .choices(ENCRYPTOR_NAMES)
        .makeOptionMandatory(),
    )
    .option('--out <file>', 'file to write, which must not exist (default: standard output)')
    .addHelpText(
      'after',
      examples(
        'keyspring config init --encryptor generic',
        'keyspring config init --encryptor mediapackage-v2 --out keyspring.yaml',
      ),
    )
    .action((options: InitOptions) => init(options, world))
}

type CheckOptions = ConfigFlags & { readonly config?: string }

/** Rejects with ERR_CONFIG_INVALID and every problem of the configuration and of the files it names, or prints that it is valid. */
async function check({ config: file, ...flags }: CheckOptions, { env, stdout }: World): Promise<void> {
  const config = readConfig({ file, environment: env, flags })
  await checkConfigurationFiles(config)
  const from = config.file === undefined ? 'no file, the environment and the defaults' : config.file
  const store = config.store === 'sqlite' ? `store sqlite in ${resolve(config.data)}` : `store ${config.store}`
  stdout.line(
    `configuration is valid (${from}): ${config.host}:${config.port}, ${store}, ` +
      `signalling profile ${config.signalingProfile}`,
  )
}

interface InitOptions {
  readonly encryptor: ConfiguredEncryptor
  readonly out?: string
}

/** Writes a configuration that `config check` accepts. */
function init({ encryptor, out }: InitOptions, { stdout, stderr }: World): void {
  const text = firstConfiguration(encryptor)
  if (out === undefined) {
    stdout.write(text)
    return
  }
  writeNewFile(out, text)
  stderr.line(`keyspring: wrote ${out}`)
  stderr.line(`hint: keyspring serve --config ${out}`)
}
