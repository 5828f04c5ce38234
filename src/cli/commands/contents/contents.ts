import type { Command } from 'commander'
import { KeyProviderError } from '../../../core/errors.ts'
import { holdContent, releaseContent } from '../../../operations/contents/changes.ts'
import { type ListedContent, listContents, showContent } from '../../../operations/contents/contents.ts'
import { type ContentSweepPlan, planSweep } from '../../../operations/lifetime/expiry.ts'
import { createSweeper } from '../../../operations/lifetime/sweep.ts'
import { contentPeriods, type ListedPeriod } from '../../../operations/rotation/periods.ts'
import { printable } from '../../../toolkit/inspect/text.ts'
import { examples, readNumber } from '../../shared/options.ts'
import {
  addKeysOptions,
  addStoredOptions,
  type KeysOptions,
  requestedTimes,
  type StoredOptions,
  withStored,
} from '../../shared/stored.ts'
import { printResult, type World } from '../../shared/world.ts'
import { defineDelete } from './delete.ts'

/** Defines `keyspring contents list|show|periods|hold|release|delete|sweep`. */
export function defineContents(contents: Command, world: World): void {
  const ofContent = (command: Command): Command =>
    addStoredOptions(command).requiredOption('--content-id <id>', 'the content')

  addStoredOptions(contents.command('list').description('print contents with state, class and expiry'))
    .option('--starts-with <text>', 'only contents whose ID starts with this text')
    .option('--contains <text>', 'only contents whose ID contains this text (case-sensitive)')
    .option('--limit <count>', 'print at most this many (default: all)')
    .addHelpText(
      'after',
      examples(
        'keyspring contents list --starts-with live-',
        'keyspring contents list --tenant studio --contains news --limit 20 --json',
      ),
    )
    .action((options: ListOptions) => list(options, world))
  ofContent(contents.command('show').description('print one content and its last key periods'))
    .addHelpText('after', examples('keyspring contents show --content-id live-7'))
    .action((options: ContentOptions) => show(options, world))
  ofContent(contents.command('periods').description('print the key periods of a content, and the expected next ones'))
    .option('--expected <count>', 'how many of the next key periods to print', '5')
    .addHelpText('after', examples('keyspring contents periods --content-id live-7 --expected 3 --json'))
    .action((options: ContentOptions & { readonly expected: string }) => periods(options, world))
  ofContent(contents.command('hold').description('put a content under legal hold: it cannot expire or be deleted'))
    .requiredOption('--reason <text>', 'the reason, for the audit log')
    .addHelpText('after', examples("keyspring contents hold --content-id live-7 --reason 'case 2026-17'"))
    .action((options: ChangeOptions) => hold(options, world))
  ofContent(contents.command('release').description('lift the legal hold of a content'))
    .requiredOption('--reason <text>', 'the reason, for the audit log')
    .addHelpText('after', examples("keyspring contents release --content-id live-7 --reason 'case closed'"))
    .action((options: ChangeOptions) => release(options, world))
  defineDelete(contents.command('delete'), world)
  addKeysOptions(
    contents.command('sweep').description('destroy contents that are due now, as a server does every few minutes'),
  )
    .option('--dry-run', 'destroy nothing, only print what is due and when')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples(
        'keyspring contents sweep --dry-run --config keyspring.yaml',
        'keyspring contents sweep --config keyspring.yaml',
      ),
    )
    .action((options: SweepOptions) => sweep(options, world))
}

interface ListOptions extends StoredOptions {
  readonly startsWith?: string
  readonly contains?: string
  readonly limit?: string
}

interface ContentOptions extends StoredOptions {
  readonly contentId: string
}

type ChangeOptions = ContentOptions & { readonly reason: string }
type SweepOptions = KeysOptions & { readonly dryRun?: boolean; readonly json?: boolean }

const PAGE = 1_000
const MAX_COUNT = 999_999_999

/** Prints the contents of a tenant page by page, so that a long list needs little memory. In JSON, each content is one line. */
async function list(options: ListOptions, world: World): Promise<void> {
  const { startsWith, contains, json } = options
  const { stdout } = world
  let left = readNumber('--limit', options.limit, 0, MAX_COUNT) ?? Number.POSITIVE_INFINITY
  let printed = 0
  if (json === true) stdout.write('{"contents": [')
  await withStored(options, world, async ({ management }, operator) => {
    for (let cursor: string | undefined; left > 0 && !stdout.closed.aborted; ) {
      const query = { startsWith, contains, cursor, limit: Math.min(left, PAGE) }
      const { contents, next } = await listContents(management, operator, query)
      for (const one of contents) {
        if (json === true) stdout.write(`${printed === 0 ? '' : ','}\n${printable(JSON.stringify(one))}`)
        else stdout.line(describe(one))
        printed += 1
      }
      await stdout.flushed()
      left -= contents.length
      if (next === undefined) return
      cursor = next
    }
  })
  if (json === true) stdout.write('\n]}\n')
}

async function show(options: ContentOptions, world: World): Promise<void> {
  const shown = await withStored(options, world, ({ management }, operator) =>
    showContent(management, operator, options),
  )
  printResult(world, options.json, shown, (content) => [
    describe(content),
    ...content.lastPeriods.map(
      ({ periodId, index, keys, lastAt, requests }) =>
        `  period ${index ?? (periodId === '' ? '(none)' : periodId)}: ${keys.length} keys, ${requestedTimes(requests)}, last ${lastAt}`,
    ),
  ])
}

async function periods(options: ContentOptions & { readonly expected: string }, world: World): Promise<void> {
  const expected = readNumber('--expected', options.expected, 0, MAX_COUNT)
  const query = { contentId: options.contentId, expected }
  const found = await withStored(options, world, ({ management }, operator) =>
    contentPeriods(management, operator, query),
  )
  printResult(world, options.json, found, ({ rotation, periods: all, more }) => [
    rotation === undefined
      ? 'no rotation is known'
      : `rotates every ${rotation.intervalSeconds} s (${rotation.basis}, ${rotation.confidence})${rotation.stopped ? ', has stopped' : ''}`,
    ...(more ? ['… older periods are not shown'] : []),
    ...all.map(describePeriod),
  ])
}

async function hold(options: ChangeOptions, world: World): Promise<void> {
  const held = await withStored(options, world, ({ management }, operator) =>
    holdContent(management, operator, options),
  )
  printResult(world, options.json, held, () => ['held: the content cannot expire or be deleted'])
}

async function release(options: ChangeOptions, world: World): Promise<void> {
  const released = await withStored(options, world, ({ management }, operator) =>
    releaseContent(management, operator, options),
  )
  printResult(world, options.json, released, () => ['released'])
}

async function sweep(options: SweepOptions, world: World): Promise<void> {
  await withStored(options, world, async ({ management, shortestGraceMs }) => {
    // With the rules of another configuration nothing would expire, and stored expiry times would be lifted.
    if (shortestGraceMs === Number.POSITIVE_INFINITY) throw withoutClasses()
    if (options.dryRun === true) {
      const plan = await planSweep(management, {})
      printResult(world, options.json, plan, ({ contents, more }) => [
        ...contents.map(describePlanned),
        ...(more ? ['… and more'] : []),
        ...(contents.length === 0 ? ['nothing is due'] : []),
      ])
      return
    }
    const report = await createSweeper(management).sweep()
    printResult(world, options.json, report, ({ looked, expired, destroyed, adopted, kept }) => [
      `looked at ${looked}: ${expired} expired, ${destroyed} destroyed, ${kept} kept by the current rules; ${adopted} adopted`,
    ])
  })
}

function withoutClasses(): KeyProviderError {
  return new KeyProviderError(
    'ERR_CONFIG_INVALID',
    'retention.classes: is not set, so no content expires: name the configuration of the server with --config',
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
    ...(destroyed === undefined ? [] : [`${destroyed.cause}, destroyed ${destroyed.at}: ${destroyed.reason}`]),
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
    keep: keptUntil === undefined ? 'never expires' : `is kept until ${keptUntil}`,
  }[action]
  return `${tenant}  ${contentId}  ${name}  expired ${expiresAt}  ${what}`
}
