import { guidBytes, type Kid, kidOfBytes } from '../../formats/cenc.ts'

/** The kid whose bytes are this one's as a GUID: what comes of reading one byte order as the other. */
export function swappedKid(kid: Kid): Kid {
  return kidOfBytes(guidBytes(kid))
}

/**
 * What is wrong with the kids that `where` names beside a DRMSystem@kid, or undefined when nothing is: none at all is
 * allowed, the licence server then goes by something else.
 */
export function kidProblem(
  kid: Kid | undefined,
  named: readonly Kid[],
  where: string,
  order: 'uuid' | 'guid',
): string | undefined {
  if (kid === undefined || named.length === 0 || named.includes(kid)) return undefined
  const [written, expected] =
    order === 'uuid'
      ? ['little-endian GUID order, as PlayReady writes it', 'the order it is written in (big-endian)']
      : ['the order it is written in (big-endian)', 'little-endian GUID order']
  return named.includes(swappedKid(kid))
    ? `${where} holds the kid ${kid} in ${written}; expected ${expected}`
    : `${where} names ${named.join(', ')}, not the kid ${kid} of its DRMSystem`
}
