import { KeyProviderError } from '../../core/errors.ts'
import { unprotectedAwsEndpoints } from '../delivery/post.ts'
import { environmentName, SETTINGS } from './setting-list.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Fetches one value from a service. Rejects with the error of the service. */
type Fetch = (reference: string) => Promise<string | undefined>

/** A service that keeps secrets, and the variables that refer to it. To add a service, add an entry to `SERVICES`. */
interface SecretService {
  readonly suffix: string
  readonly arn: RegExp
  /** Loads the SDK. */
  open(): Promise<Fetch>
}

const TIMEOUT_MS = 5_000
/** The text of the configuration file, which a service may keep too. */
const CONFIG_TEXT = 'KEYSPRING_CONFIG_YAML'

const SERVICES: readonly SecretService[] = [
  {
    suffix: '_SECRET',
    arn: /^arn:[a-z-]+:secretsmanager:/,
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
    arn: /^arn:[a-z-]+:ssm:/,
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

/** A setting and the reference to its value. */
interface Reference {
  /** The setting's own variable. */
  readonly name: string
  /** The variable that holds the reference. */
  readonly variable: string
  readonly service: SecretService
  readonly reference: string
}

/**
 * The environment, with `NAME_SECRET` (AWS Secrets Manager) and `NAME_PARAMETER` (SSM Parameter Store) replaced by the values they
 * refer to. `NAME_FILE` and `KEYSPRING_CONFIG` may hold an ARN too. Each value is fetched once. Rejects with ERR_CONFIG_INVALID
 * and every problem, by name and never by value.
 */
export async function resolveSecretReferences(environment: Environment): Promise<Environment> {
  const resolved: Record<string, string | undefined> = { ...environment }
  const problems: string[] = []
  const openedBy = new Map<SecretService, Promise<Fetch>>()

  const fetchOne = async ({ name, variable, service, reference }: Reference): Promise<void> => {
    const opened = openedBy.get(service) ?? service.open()
    openedBy.set(service, opened)
    try {
      const value = await (await opened)(reference)
      if (value === undefined || value === '') problems.push(`${variable}: the secret is empty`)
      else resolved[name] = value.replace(/\r?\n$/, '')
    } catch (error) {
      problems.push(`${variable}: cannot be read (${error instanceof Error ? error.name : 'unknown reason'})`)
    }
  }

  const references = referencesIn(environment)
  if (references.length > 0) {
    for (const name of unprotectedAwsEndpoints(environment)) {
      problems.push(`${name}: expected an https URL, or an http URL of a loopback address`)
    }
    if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', problems.join('\n'))
  }
  for (const { variable } of references) delete resolved[variable]
  await Promise.all(
    references.map((one) => {
      const others = [one.name, `${one.name}_FILE`, ...SERVICES.map(({ suffix }) => one.name + suffix)]
      const other = others.find((variable) => variable !== one.variable && environment[variable] !== undefined)
      if (other === undefined) return fetchOne(one)
      problems.push(`${one.variable}: ${other} is set too: expected one of the two`)
      return undefined
    }),
  )
  if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', problems.sort().join('\n'))
  return resolved
}

function referencesIn(environment: Environment): readonly Reference[] {
  const names = [...SETTINGS.map(({ path }) => environmentName(path)), CONFIG_TEXT]
  const settings = new Set(names)
  const byService = SERVICES.flatMap((service) =>
    names.flatMap((name): readonly Reference[] => {
      const variable = name + service.suffix
      const reference = environment[variable]
      // A variable that is itself a setting is no reference.
      return reference === undefined || settings.has(variable) ? [] : [{ name, variable, service, reference }]
    }),
  )
  const files = names.map((name) => ({ name, variable: `${name}_FILE` }))
  const byArn = [...files, { name: CONFIG_TEXT, variable: 'KEYSPRING_CONFIG' }].flatMap(({ name, variable }) => {
    const reference = environment[variable] ?? ''
    const service = SERVICES.find(({ arn }) => arn.test(reference))
    return service === undefined || settings.has(variable) ? [] : [{ name, variable, service, reference }]
  })
  return [...byService, ...byArn]
}

/** An ARN names its region. */
function regionOf(reference: string) {
  const region = reference.startsWith('arn:') ? reference.split(':')[3] : undefined
  return region === undefined || region === '' ? {} : { region }
}

function abort() {
  return { abortSignal: AbortSignal.timeout(TIMEOUT_MS) }
}
