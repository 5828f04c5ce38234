import type { ContentKeyClass } from '../../../formats/cenc.ts'
import { type ListedKey, listKeys, type ShownKey, showKey } from '../../../operations/contents/keys.ts'
import { removeOverrideKey } from '../../../operations/contents/override-keys.ts'
import { printResult, readKid, type StoredOptions, withStored } from '../../shared/stored.ts'

interface KeyOptions extends StoredOptions {
  readonly contentId: string
  readonly kid: string
  readonly class?: ContentKeyClass
}

/** Prints the kids of a content and where their keys come from. */
export async function list(options: StoredOptions & { readonly contentId: string }): Promise<void> {
  const listed = await withStored(options, ({ management }, operator) => listKeys(management, operator, options))
  printResult(options.json, listed, ({ keys, more }) => [
    ...keys.map(describe),
    ...(more ? ['… keys of older key periods are not shown'] : []),
    ...(keys.length === 0 ? ['no key was given out, as far as is known'] : []),
  ])
}

/** Prints what is known of a key, with its check value. */
export async function show(options: KeyOptions): Promise<void> {
  const name = { contentId: options.contentId, kid: readKid('--kid', options.kid), contentKeyClass: options.class }
  const shown = await withStored(options, ({ management }, operator) => showKey(management, operator, name))
  printResult(options.json, shown, (keys: readonly ShownKey[]) =>
    keys.map((key) => `${describe(key)}  check value ${key.checkValue}`),
  )
}

/** Removes a key that was imported or given. */
export async function remove(
  options: KeyOptions & { readonly force?: boolean; readonly reason?: string },
): Promise<void> {
  const { contentId, force = false, reason, class: contentKeyClass = 'drm' } = options
  const name = { contentId, contentKeyClass, kid: readKid('--kid', options.kid) }
  const removed = await withStored(options, ({ management }, operator) =>
    removeOverrideKey(management, operator, { ...name, force, ...(reason !== undefined && { reason }) }),
  )
  printResult(options.json, { removed }, () => [removed ? 'removed' : 'there was none'])
}

function describe({
  kid,
  class: name,
  source,
  issued,
  commonEncryptionScheme = '',
  intendedTrackTypes,
}: ListedKey): string {
  const use = [commonEncryptionScheme, ...intendedTrackTypes].join(' ').trim()
  return `${kid}  ${name}  ${source}  ${issued ? 'given out' : 'not given out yet'}  ${use}`.trimEnd()
}
