import type { AuthMethod } from '../../auth/authenticate.ts'
import type { RegisteredClient } from '../../auth/clients/client.ts'
import { AuthenticationError } from '../../auth/failure.ts'
import type { AuthSettings, AuthWorld, SettingsReader } from '../../auth/methods/definition.ts'
import { AUTH_METHODS, CREDENTIAL_METHODS } from '../../auth/methods/methods.ts'
import type { ReportProblem } from '../config/fields.ts'
import { readText } from '../config/files.ts'

/**
 * The methods that verify requests, each made once for equal settings: a method remembers nonces and proven passwords, and
 * keeps them over a reload that does not concern it.
 */
export class AuthMethods {
  readonly #world: AuthWorld
  readonly #made = new Map<string, { readonly settings: string; readonly method: AuthMethod }>()

  constructor(world: AuthWorld) {
    this.#world = world
  }

  /** The methods of these clients under a configuration. A method that cannot be made is reported and left out. */
  async of(
    settings: AuthSettings,
    clients: readonly RegisteredClient[],
    report: ReportProblem,
  ): Promise<{ readonly methods: readonly AuthMethod[]; readonly problems: readonly string[] }> {
    const reader: SettingsReader = { report, readText: (setting, file) => readText(setting, file, report) }
    const inUse = new Set(clients.flatMap(({ credentials }) => credentials.map(({ method }) => method)))
    const methods: AuthMethod[] = []
    const problems: string[] = []
    for (const name of CREDENTIAL_METHODS) {
      const { settingsOf, problemsOf, make, requiresTls } = AUTH_METHODS[name]
      if (!inUse.has(name) || settingsOf === undefined || make === undefined) continue
      const own = settingsOf(settings, reader)
      if (own === undefined) continue
      problems.push(...(problemsOf?.(own, clients) ?? []))
      const text = JSON.stringify(own)
      const known = this.#made.get(name)
      const method = known?.settings === text ? known.method : await make(this.#world, own)
      this.#made.set(name, { settings: text, method })
      methods.push(requiresTls === true ? overTls(method) : method)
    }
    return { methods, problems }
  }
}

/** The method, for requests that nobody on the way could read: its credential would be of use to a reader. */
function overTls(method: AuthMethod): AuthMethod {
  return {
    ...method,
    verify(presented) {
      if (!presented.secure) throw new AuthenticationError('insecure')
      return method.verify(presented)
    },
  }
}
