import { concat } from '../../../core/template.ts'
import { escapeText } from '../../xml/markup.ts'
import type { SignalInput, Signaling } from '../system.ts'

/**
 * W3C ClearKey in DASH: the URL to which a player posts a licence request, in the current element and in the one of older
 * guidelines. Players read either.
 *
 * @see DASH-IF IOP v5, part 6, 7.2; https://github.com/Dash-Industry-Forum/ClearKey-Content-Protection
 */
export function signalClearKey({ clearKeyLicenseUrl }: SignalInput): Signaling {
  const url = escapeText(clearKeyLicenseUrl)
  return {
    contentProtectionData: concat(
      `<dashif:Laurl xmlns:dashif="https://dashif.org/CPS" licenseType="EME-1.0">${url}</dashif:Laurl>`,
      `<ck:Laurl xmlns:ck="http://dashif.org/guidelines/clearKey" Lic_type="EME-1.0">${url}</ck:Laurl>`,
    ),
  }
}
