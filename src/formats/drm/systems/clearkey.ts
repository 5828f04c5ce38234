import { concat } from '../../../core/template.ts'
import { systemIdOf } from '../../cenc.ts'
import { escapeText } from '../../xml/escape.ts'
import type { DrmSystem } from '../system.ts'

/**
 * W3C ClearKey in DASH: where to post a licence request. Players read the current element or the one of older guidelines.
 *
 * @see DASH-IF IOP v5, part 6, 7.2; https://github.com/Dash-Industry-Forum/ClearKey-Content-Protection
 */
export const clearKey: DrmSystem = {
  name: 'DASH-IF ClearKey',
  systemId: systemIdOf('e2719d58-a985-b3c9-781a-b030af78d30e'),
  commonEncryptionSchemes: ['cenc', 'cbcs'],
  contentKeyClass: 'clear',
  spekeMajors: [1, 2],
  fillsContentProtectionDataInV1: true,

  signal({ clearKeyLicenseUrl }) {
    const url = escapeText(clearKeyLicenseUrl)
    return {
      contentProtectionData: concat(
        `<dashif:Laurl xmlns:dashif="https://dashif.org/CPS" licenseType="EME-1.0">${url}</dashif:Laurl>`,
        `<ck:Laurl xmlns:ck="http://dashif.org/guidelines/clearKey" Lic_type="EME-1.0">${url}</ck:Laurl>`,
      ),
    }
  },
}
