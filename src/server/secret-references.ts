import { KeyProviderError } from '../errors.ts'
import { environmentName, SETTINGS } from './settings-table.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Fetches one value of a service. Rejects with what the service says. */
type Fetch = (reference: string) => Promise<string | undefined>

/** A service that keeps values, and what makes a variable name one of them. To add one, add a line to `SERVICES`. */
interface SecretService {
  readonly suffix: string
  /** Loads the SDK. */
  open(): Promise<Fetch>
}

const TIMEOUT_MS = 5_000
/** The text of the configuration file, which may be kept so too. */
const CONFIG_TEXT = 'KEYSPRING_CONFIG_YAML'

const SERVICES: readonly SecretService[] = [
  {
    suffix: '_SECRET',
    async open() {
      const sdk = await import('@aws-sdk/client-secrets-manager')
      return async (SecretId) => {
        const client = new sdk.SecretsManagerClient(regionOf(SecretId))
        const { SecretString, SecretBinary } = await client.send(new sdk.GetSecretValueCommand({ SecretId }), abort())
        client.destroy()
        return SecretString ?? (SecretBinary && Buffer.from(SecretBinary).toString('utf8'))
      }
    },
  },
  {
    suffix: '_PARAMETER',
    async open() {
      const sdk = await import('@aws-sdk/client-ssm')
      return async (Name) => {
        const client = new sdk.SSMClient(regionOf(Name))
        const { Parameter } = await client.send(new sdk.GetParameterCommand({ Name, WithDecryption: true }), abort())
        client.destroy()
        return Parameter?.Value
      }
    },
  },
]

/**
 * The environment with the values that `NAME_SECRET` (AWS Secrets Manager) and `NAME_PARAMETER` (SSM Parameter Store) stand for,
 * each fetched once. Rejects with ERR_CONFIG_INVALID and every problem, by name and never by value.
 */
export async function resolveSecretReferences(environment: Environment): Promise<Environment> {
  const names = [...SETTINGS.map(({ path }) => environmentName(path)), CONFIG_TEXT]
  const settings = new Set(names)
  const problems: string[] = []
  const resolved: Record<string, string | undefined> = { ...environment }
  const fetching: Promise<void>[] = []

  for (const { suffix, open } of SERVICES) {
    // What is a setting by its whole name is no reference.
    const given = names.filter((name) => !settings.has(name + suffix) && environment[name + suffix] !== undefined)
    if (given.length === 0) continue
    const opened = open()
    for (const name of given) {
      const variable = name + suffix
      const reference = environment[variable] ?? ''
      delete resolved[variable]
      const others = [name, `${name}_FILE`, ...SERVICES.map((one) => name + one.suffix)].filter((one) => one !== variable)
      const other = others.find((one) => environment[one] !== undefined)
      if (other !== undefined) {
        problems.push(`${variable}: ${other} is set too: expected one of the two`)
        continue
      }
      const fetch = async (): Promise<void> => {
        try {
          const value = await (await opened)(reference)
          if (value === undefined || value === '') problems.push(`${variable}: holds nothing`)
          else resolved[name] = value.replace(/\r?\n$/, '')
        } catch (error) {
          problems.push(`${variable}: cannot be read (${error instanceof Error ? error.name : 'unknown reason'})`)
        }
      }
      fetching.push(fetch())
    }
  }
  await Promise.all(fetching)
  if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', [...new Set(problems)].sort().join('\n'))
  return resolved
}

/** An ARN names its region. */
function regionOf(reference: string) {
  const region = reference.startsWith('arn:') ? reference.split(':')[3] : undefined
  return region === undefined || region === '' ? {} : { region }
}

function abort() {
  return { abortSignal: AbortSignal.timeout(TIMEOUT_MS) }
}
