import { matchesPattern } from '../../core/glob.ts'
import { asker, type QuestionOptions } from './asking.ts'
import { CHECK_GROUPS, type Check } from './check.ts'
import { contractChecks } from './checks/contract.ts'
import { crossedVersionChecks, errorChecks, httpChecks } from './checks/errors.ts'
import { determinismChecks, encryptionChecks, ivChecks } from './checks/keys.ts'
import { negativeChecks } from './checks/negative.ts'
import { mediaPackageChecks, presetChecks, v1Checks } from './checks/presets.ts'
import { robustnessChecks } from './checks/robustness.ts'
import { schemeChecks, systemChecks } from './checks/systems.ts'

/** The default DRM systems: those that SPEKE and MediaPackage document. */
export const USUAL_DRM: readonly string[] = ['widevine', 'playready', 'fairplay', 'aes-128']

/** Returns every check that the requests of an encryptor allow, ordered by group. */
export function checksFor(options: QuestionOptions): readonly Check[] {
  const ask = asker(options)
  const checks = [
    ...httpChecks(ask),
    ...v1Checks(ask),
    ...presetChecks(ask),
    ...contractChecks(ask),
    ...schemeChecks(ask, options.drm),
    ...systemChecks(ask),
    ...encryptionChecks(ask),
    ...determinismChecks(ask, options.drm, options.fresh),
    ...ivChecks(ask),
    ...errorChecks(ask),
    ...crossedVersionChecks(ask),
    ...negativeChecks(ask),
    ...robustnessChecks(ask),
    ...(options.as === 'mediapackage-v2' ? mediaPackageChecks(ask) : []),
  ]
  const order = Object.keys(CHECK_GROUPS)
  return checks.toSorted((a, b) => order.indexOf(a.group) - order.indexOf(b.group))
}

/** The patterns of `--only` and `--skip`: a name, its start up to a slash, or a name with `*` for any text. */
interface Picked {
  /** Default: all checks. */
  readonly only?: readonly string[]
  readonly skip?: readonly string[]
}

/** Returns the checks that match a pattern of `only` and none of `skip`. */
export function pickChecks(checks: readonly Check[], { only = [], skip = [] }: Picked): readonly Check[] {
  const isPicked = only.length === 0 ? () => true : matcher(only)
  const isSkipped = matcher(skip)
  return checks.filter(({ name }) => isPicked(name) && !isSkipped(name))
}

function matcher(patterns: readonly string[]): (name: string) => boolean {
  return (name) => patterns.some((pattern) => matchesPattern(pattern, name) || matchesPattern(`${pattern}/*`, name))
}
