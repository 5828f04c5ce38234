import assert from 'node:assert/strict'
import { inspect } from '../../../src/toolkit/inspect/inspect.ts'
import type { Inspection } from '../../../src/toolkit/inspect/inspection.ts'
import { findingsIn, type InspectNode, type InspectOptions, nodesIn } from '../../../src/toolkit/inspect/node.ts'

/** The nodes of an inspection that are called `name`, in order. */
export function named({ nodes }: Pick<Inspection, 'nodes'>, name: string): readonly InspectNode[] {
  return [...nodesIn(nodes)].filter((one) => one.name === name)
}

/** The values of the nodes that are called `name`, in order. */
export function values(inspection: Pick<Inspection, 'nodes'>, name: string): readonly (string | undefined)[] {
  return named(inspection, name).map(({ value }) => value)
}

/** What the tree finds wrong, as `severity: message`; notes only when they are asked for. */
export function found({ nodes }: Pick<Inspection, 'nodes'>, notes = false): readonly string[] {
  return findingsIn(nodes).flatMap(({ severity, message }) =>
    severity === 'note' && !notes ? [] : [`${severity}: ${message}`],
  )
}

/** An inspection of what is of this kind and has nothing wrong with it. */
export function sound(input: Uint8Array | string, kind: string, options?: InspectOptions): Inspection {
  const inspection = inspect(input, options)
  assert.equal(inspection.kind, kind)
  assert.deepEqual(found(inspection), [])
  return inspection
}

/** The one message of an error: what broke, and where. */
export function broken(input: Uint8Array | string): string {
  const errors = found(inspect(input)).filter((one) => one.startsWith('error: '))
  return errors.join('\n')
}
