import { escapeAttribute } from '../xml/escape.ts'

/**
 * The text of HDCPOutputProtectionData: base64 of the element that asks an MPD's players for HDCP `version` or newer.
 *
 * @see CPIX 2.4, HDCPData; DASH-IF Identifiers, output protection
 */
export function hdcpOutputProtectionData(version: string): string {
  const xml =
    '<OutputProtection xmlns="urn:mpeg:dash:schema:mpd:2011"' +
    ` schemeIdUri="urn:mpeg:dash:output-protection:hdcp:2020" value="${escapeAttribute(version)}"/>`
  return Buffer.from(xml).toString('base64')
}
