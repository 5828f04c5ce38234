import type { Command } from 'commander'
import { wrongUsage } from '../../../core/errors.ts'
import { deleteContent } from '../../../operations/contents/changes.ts'
import { listContents } from '../../../operations/contents/contents.ts'
import { EXIT } from '../../shared/errors.ts'
import { examples, readNumber } from '../../shared/options.ts'
import { addStoredOptions, type StoredOptions, withStored } from '../../shared/stored.ts'
import { interruption, ProgressLine, printResult, type World } from '../../shared/world.ts'

/** Defines `keyspring contents delete`. */
export function defineDelete(command: Command, world: World): void {
  addStoredOptions(command.description('permanently destroy the keys of contents; later requests for them fail'))
    .option('--content-id <id>', 'the content')
    .option('--starts-with <text>', 'all contents whose ID starts with this text; prints them until --confirm is given')
    .option('--confirm <count>', 'with --starts-with: destroy the contents, if there are exactly this many')
    .requiredOption('--reason <text>', 'the reason, for the audit log')
    .addHelpText(
      'after',
      examples(
        "keyspring contents delete --content-id live-7 --reason 'rights ended'",
        "keyspring contents delete --starts-with trial- --reason 'trial ended'",
        "keyspring contents delete --starts-with trial- --reason 'trial ended' --confirm 42",
      ),
    )
    .action((options: DeleteOptions) => remove(options, world))
}

interface DeleteOptions extends StoredOptions {
  readonly contentId?: string
  readonly startsWith?: string
  readonly confirm?: string
  readonly reason: string
}

async function remove(options: DeleteOptions, world: World): Promise<void> {
  const { contentId, startsWith, confirm, reason } = options
  if ((contentId === undefined) === (startsWith === undefined)) {
    throw wrongUsage('give either --content-id or --starts-with')
  }
  if (startsWith === '') throw wrongUsage('--starts-with: expected at least one character')
  if (startsWith === undefined && confirm !== undefined) throw wrongUsage('--confirm is for --starts-with')
  if (startsWith !== undefined) return removeAll({ ...options, startsWith }, world)
  const deleted = await withStored(options, world, ({ management }, operator) =>
    deleteContent(management, operator, { contentId: contentId ?? '', reason }),
  )
  printResult(world, options.json, deleted, ({ already, destroyedAt }) => [
    already ? `already destroyed, on ${destroyedAt}` : 'destroyed: its keys are permanently deleted',
  ])
}

const PAGE = 1_000
const MAX_COUNT = 999_999_999
const DELETED_AT_ONCE = 16

/** Prints the contents whose IDs start with a text, or destroys them if --confirm is their number. Held contents stay. */
async function removeAll(options: DeleteOptions & { readonly startsWith: string }, world: World): Promise<void> {
  const { startsWith, reason, json } = options
  const confirmed = readNumber('--confirm', options.confirm, 1, MAX_COUNT)
  await withStored(options, world, async ({ management }, operator) => {
    const due: string[] = []
    const held: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await listContents(management, operator, { startsWith, cursor, limit: PAGE })
      for (const { contentId, state } of page.contents) {
        if (state === 'held') held.push(contentId)
        else if (state !== 'destroyed') due.push(contentId)
      }
      if (page.next === undefined) break
      cursor = page.next
    }
    if (confirmed === undefined) {
      printResult(world, json, { preview: true, contents: due, held }, () => [
        ...due.map((contentId) => `${contentId}  would be destroyed`),
        ...held.map((contentId) => `${contentId}  is held and stays`),
        `${due.length} contents would be destroyed${due.length === 0 ? '' : `: add --confirm ${due.length} to destroy them`}`,
      ])
      return
    }
    if (confirmed !== due.length) {
      throw wrongUsage(
        `--confirm: ${due.length} contents would be destroyed, not ${confirmed}: run without --confirm to see them`,
      )
    }
    const progress = new ProgressLine(world)
    const interrupted = interruption(world)
    let destroyed = 0
    for (let at = 0; at < due.length && !interrupted.signal.aborted; at += DELETED_AT_ONCE) {
      const group = due.slice(at, at + DELETED_AT_ONCE)
      await Promise.all(group.map((contentId) => deleteContent(management, operator, { contentId, reason })))
      destroyed += group.length
      progress.report(destroyed, `${destroyed} of ${due.length} contents destroyed`)
    }
    interrupted.dispose()
    progress.close()
    printResult(world, json, { preview: false, destroyed, held }, () => [
      `destroyed: ${destroyed} contents, their keys are permanently deleted; held: ${held.length}`,
    ])
    if (destroyed < due.length) world.exitCode = EXIT.failed
  })
}
