import { KeyProviderError } from '../../../core/errors.ts'
import { deleteContent, holdContent, releaseContent } from '../../../operations/contents/changes.ts'
import { type ListedContent, listContents, showContent } from '../../../operations/contents/contents.ts'
import { createSweeper } from '../../../operations/lifetime/sweep.ts'
import { type ContentSweepPlan, planSweep } from '../../../operations/lifetime/sweep-plan.ts'
import { contentPeriods, type ListedPeriod } from '../../../operations/rotation/periods.ts'
import { printable } from '../../../toolkit/inspect/text.ts'
import type { KeysOptions } from '../../shared/keys-options.ts'
import { askedFor, printResult, readCount, type StoredOptions, withStored } from '../../shared/stored.ts'

interface ContentOptions extends StoredOptions {
  readonly contentId: string
}

type ChangeOptions = ContentOptions & { readonly reason: string }

/** Prints the contents of a tenant, page by page. */
export async function list(
  options: StoredOptions & { readonly startsWith?: string; readonly contains?: string; readonly limit?: string },
): Promise<void> {
  const { startsWith, contains, json } = options
  let left = options.limit === undefined ? Number.POSITIVE_INFINITY : readCount('--limit', options.limit)
  await withStored(options, async ({ management }, operator) => {
    for (let cursor: string | undefined; left > 0; ) {
      const query = { startsWith, contains, cursor, limit: Math.min(left, PAGE) }
      const { contents, next } = await listContents(management, operator, query)
      // An object a line, so that a long list can be read while it comes.
      for (const one of contents)
        process.stdout.write(`${printable(json === true ? JSON.stringify(one) : describe(one))}\n`)
      left -= contents.length
      if (next === undefined) return
      cursor = next
    }
  })
}

const PAGE = 1_000

/** Prints one content and its last key periods. */
export async function show(options: ContentOptions): Promise<void> {
  const shown = await withStored(options, ({ management }, operator) => showContent(management, operator, options))
  printResult(options.json, shown, (content) => [
    describe(content),
    ...content.lastPeriods.map(
      ({ periodId, index, keys, lastAt, requests }) =>
        `  period ${index ?? (periodId === '' ? '(none)' : periodId)}: ${keys.length} keys, ${askedFor(requests)}, last ${lastAt}`,
    ),
  ])
}

/** Prints the key periods of a content, and those to come. */
export async function periods(options: ContentOptions & { readonly expected: string }): Promise<void> {
  const expected = readCount('--expected', options.expected)
  const query = { contentId: options.contentId, expected }
  const found = await withStored(options, ({ management }, operator) => contentPeriods(management, operator, query))
  printResult(options.json, found, ({ rotation, periods: all, more }) => [
    rotation === undefined
      ? 'no rotation is known'
      : `rotates every ${rotation.intervalSeconds} s (${rotation.basis}, ${rotation.confidence})${rotation.stopped ? ', has stopped' : ''}`,
    ...(more ? ['… older periods are not shown'] : []),
    ...all.map(describePeriod),
  ])
}

/** Puts a content under legal hold. */
export async function hold(options: ChangeOptions): Promise<void> {
  const held = await withStored(options, ({ management }, operator) => holdContent(management, operator, options))
  printResult(options.json, held, () => ['held: it neither expires nor can it be deleted'])
}

/** Lifts the legal hold of a content. */
export async function release(options: ChangeOptions): Promise<void> {
  const released = await withStored(options, ({ management }, operator) =>
    releaseContent(management, operator, options),
  )
  printResult(options.json, released, () => ['released'])
}

/** Destroys a content. */
export async function remove(options: ChangeOptions): Promise<void> {
  const deleted = await withStored(options, ({ management }, operator) => deleteContent(management, operator, options))
  printResult(options.json, deleted, ({ already, destroyedAt }) => [
    already ? `was destroyed already, on ${destroyedAt}` : `destroyed: its keys are gone for ever`,
  ])
}

/** Does what the sweeper of a server does, or says what is due. */
export async function sweep(
  options: KeysOptions & { readonly dryRun?: boolean; readonly json?: boolean },
): Promise<void> {
  await withStored(options, async ({ management, shortestGraceMs }) => {
    // By the rules of another configuration nothing would expire, and the times that are stored would be lifted.
    if (shortestGraceMs === Number.POSITIVE_INFINITY) throw withoutClasses()
    if (options.dryRun === true) {
      const plan = await planSweep(management, {})
      printResult(options.json, plan, ({ contents, more }) => [
        ...contents.map(describePlanned),
        ...(more ? ['… and more'] : []),
        ...(contents.length === 0 ? ['nothing is due'] : []),
      ])
      return
    }
    const report = await createSweeper(management).sweep()
    printResult(options.json, report, ({ looked, expired, destroyed, adopted, kept }) => [
      `looked at ${looked}: ${expired} expired, ${destroyed} destroyed, ${kept} kept by the rules as they are now; ${adopted} adopted`,
    ])
  })
}

function withoutClasses(): KeyProviderError {
  return new KeyProviderError(
    'ERR_CONFIG_INVALID',
    'retention.classes: none is set, so nothing would expire: name the configuration of the server with --config',
  )
}

function describe({
  contentId,
  state,
  class: name,
  expiresAt,
  destroyedFrom,
  hold: why,
  destroyed,
}: ListedContent): string {
  const until = [
    ...(expiresAt === undefined ? [] : [`expires ${expiresAt}`]),
    ...(destroyedFrom === undefined ? [] : [`destroyed from ${destroyedFrom}`]),
    ...(why === undefined ? [] : [`held: ${why}`]),
    ...(destroyed === undefined ? [] : [`${destroyed.cause} ${destroyed.at}: ${destroyed.reason}`]),
  ]
  return [contentId, state, name, ...until].join('  ')
}

function describePeriod({ state, index, periodId, start, end, keys }: ListedPeriod): string {
  const kids = keys.map(({ kid, intendedTrackTypes }) => `${kid} ${intendedTrackTypes.join('+')}`.trim()).join(', ')
  return `${state.padEnd(8)}  ${index ?? periodId ?? ''}  ${start ?? '?'} – ${end ?? '?'}  ${kids}`.trimEnd()
}

function describePlanned({
  tenant,
  contentId,
  class: name,
  action,
  expiresAt,
  destroyedFrom,
  keptUntil,
}: ContentSweepPlan): string {
  const what = {
    destroy: 'is destroyed now',
    wait: `is destroyed from ${destroyedFrom}`,
    keep: `is kept ${keptUntil === undefined ? 'for ever' : `until ${keptUntil}`}`,
  }[action]
  return `${tenant}  ${contentId}  ${name}  expired ${expiresAt}  ${what}`
}
