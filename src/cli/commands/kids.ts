import type { Command } from 'commander'
import { lookUpKid } from '../../operations/contents/kids.ts'
import { examples, readKid } from '../shared/options.ts'
import { addStoredOptions, requestedTimes, type StoredOptions, withStored } from '../shared/stored.ts'
import { printResult, type World } from '../shared/world.ts'

/** Defines `keyspring kids show`. */
export function defineKids(kids: Command, world: World): void {
  addStoredOptions(
    kids.command('show').description('print the contents and key periods in which a kid was issued, never its key'),
  )
    .argument('<kid>', 'a UUID')
    .addHelpText('after', examples('keyspring kids show 9eb4050d-e44b-4802-932e-27d75083e266'))
    .action((kid: string, options: StoredOptions) => show(kid, options, world))
}

async function show(text: string, options: StoredOptions, world: World): Promise<void> {
  const kid = readKid('<kid>', text)
  const found = await withStored(options, world, ({ management }, operator) => lookUpKid(management, operator, { kid }))
  printResult(world, options.json, found, ({ contents }) =>
    contents.flatMap(
      ({ contentId, classes, commonEncryptionSchemes, intendedTrackTypes, requests, lastAt, periods }) => [
        `${contentId}  ${[...classes, ...commonEncryptionSchemes, ...intendedTrackTypes].join(' ')}  ${requestedTimes(requests)}, last ${lastAt}`,
        ...periods.map(({ periodId, index, start, end }) => {
          const times = start === undefined ? '' : `  ${start} – ${end ?? '?'}`
          return `  period ${index ?? (periodId === '' ? '(none)' : periodId)}${times}`
        }),
      ],
    ),
  )
}
