import type { Operation } from '../operation.ts'
import * as contents from './contents.ts'
import * as exporting from './export.ts'
import * as keys from './keys.ts'
import * as kids from './kids.ts'
import * as overrides from './overrides.ts'
import * as resolve from './resolve.ts'
import * as retention from './retention.ts'

/** Every operation of the management API, in the order of its description. To add one, write a file here and add one line. */
export const OPERATIONS: readonly Operation[] = [
  contents.list,
  contents.show,
  contents.remove,
  contents.hold,
  contents.release,
  contents.periods,
  overrides.list,
  overrides.add,
  overrides.remove,
  overrides.addRule,
  overrides.removeRule,
  keys.list,
  keys.show,
  keys.importing,
  exporting.exporting,
  kids.show,
  resolve.resolve,
  retention.show,
  retention.sweep,
]
