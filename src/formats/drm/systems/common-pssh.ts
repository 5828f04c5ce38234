import { concat } from '../../../core/template.ts'
import { base64Of, givenPssh } from '../elements.ts'
import { psshTemplate } from '../payloads/pssh.ts'
import type { DrmSystemFacts, SignalInput, Signaling } from '../system.ts'

/**
 * The W3C common box: kids and nothing else, for players that make a licence request from it.
 *
 * One box holds all kids of the key period, this key's first: Chromium's ClearKey reads only the first box it finds.
 * @see https://www.w3.org/TR/eme-initdata-cenc/#common-system
 */
export function signalCommonPssh(
  { periodKids, pssh: given }: SignalInput,
  { systemId, name }: DrmSystemFacts,
): Signaling {
  const pssh =
    given === undefined
      ? psshTemplate({ systemId, kids: periodKids, data: { text: '', holes: [] } })
      : givenPssh(given, systemId, name).pssh
  return { pssh, contentProtectionData: concat('<pssh xmlns="urn:mpeg:cenc:2013">', base64Of(pssh), '</pssh>') }
}
