import { lookUpKid } from '../../../operations/contents/kids.ts'
import { askedFor, printResult, readKid, type StoredOptions, withStored } from '../../shared/stored.ts'

/** Prints where a kid was issued. */
export async function show(text: string, options: StoredOptions): Promise<void> {
  const kid = readKid('<kid>', text)
  const found = await withStored(options, ({ management }, operator) => lookUpKid(management, operator, { kid }))
  printResult(options.json, found, ({ contents }) =>
    contents.flatMap(
      ({ contentId, classes, commonEncryptionSchemes, intendedTrackTypes, requests, lastAt, periods }) => [
        `${contentId}  ${[...classes, ...commonEncryptionSchemes, ...intendedTrackTypes].join(' ')}  ${askedFor(requests)}, last ${lastAt}`,
        ...periods.map(({ periodId, index, start, end }) => {
          const times = start === undefined ? '' : `  ${start} – ${end ?? '?'}`
          return `  period ${index ?? (periodId === '' ? '(none)' : periodId)}${times}`
        }),
      ],
    ),
  )
}
