import { concat } from '../../../core/template.ts'
import { COMMON_ENCRYPTION_SCHEMES, systemIdOf } from '../../cenc.ts'
import { base64Of } from '../base64.ts'
import { givenPssh } from '../given-pssh.ts'
import { psshTemplate } from '../payloads/pssh.ts'
import type { DrmSystem } from '../system.ts'

const SYSTEM_ID = systemIdOf('1077efec-c0b2-4d02-ace3-3c1e52e2fb4b')

/**
 * The W3C common box: kids and nothing else, for players that make a licence request from it.
 *
 * All kids of the key period stand in one box, this key's first: Chromium's ClearKey reads only the first box it finds.
 * @see https://www.w3.org/TR/eme-initdata-cenc/#common-system
 */
export const commonPssh: DrmSystem = {
  name: 'W3C Common PSSH',
  systemId: SYSTEM_ID,
  commonEncryptionSchemes: COMMON_ENCRYPTION_SCHEMES,
  contentKeyClass: 'clear',
  spekeMajors: [1, 2],
  fillsContentProtectionDataInV1: true,
  dependsOnKids: () => 'period',

  signal({ periodKids, pssh: given }) {
    const pssh =
      given === undefined
        ? psshTemplate({ systemId: SYSTEM_ID, kids: periodKids, data: { text: '', holes: [] } })
        : givenPssh(given, SYSTEM_ID, 'W3C Common PSSH').pssh
    return { pssh, contentProtectionData: concat('<pssh xmlns="urn:mpeg:cenc:2013">', base64Of(pssh), '</pssh>') }
  },
}
