import { readContainerfile } from '../../scripts/release/containerfile.ts'
import { textOf } from './files.ts'

interface PackageJson {
  readonly version: string
  readonly engines: { readonly node: string }
}

const PACKAGE_JSON = JSON.parse(textOf('package.json')) as PackageJson

/** The Containerfile, read. */
export const CONTAINERFILE = readContainerfile(textOf('deploy/container/Containerfile'))

/** The ports of the image: requests, and metrics with the management API. */
export const PORTS = CONTAINERFILE.expose

/** The version of the package. */
export const versionOf = (): string => PACKAGE_JSON.version

/** The major version of Node.js that the package needs. */
export const nodeMajor = (): string => /\d+/.exec(PACKAGE_JSON.engines.node)?.[0] ?? ''
