import { type FunctionServer, startFunction } from '../assemble/function.ts'
import { packageVersion } from '../version.ts'

/** Starts the server of a function from the environment of the process. Rejects with ERR_CONFIG_INVALID, without any value. */
export function startLambda(): Promise<FunctionServer> {
  return startFunction({
    environment: process.env,
    version: packageVersion(),
    write: (line) => process.stdout.write(line),
  })
}
