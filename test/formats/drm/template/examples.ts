import type { DrmSystemTemplate } from '../../../../src/formats/drm/template/system.ts'

const CENC_PSSH = '<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">{pssh}</cenc:pssh>'

/** Nagra MediaAccess PRM 3.0: the box holds base64url text of a JSON object. */
export const NAGRA: DrmSystemTemplate = {
  name: 'Nagra MediaAccess PRM 3.0',
  systemId: 'adb41c24-2dbf-4a6d-958b-4457c0d27b95',
  commonEncryptionSchemes: ['cenc', 'cbcs'],
  psshData: { syntax: 'json', encoding: 'base64url', template: '{"contentId":"{contentId}","keyId":"{kid}"}' },
  contentProtectionData: CENC_PSSH,
}

/** WisePlay, of ChinaDRM: the box holds a JSON object. */
export const WISEPLAY: DrmSystemTemplate = {
  name: 'ChinaDRM (WisePlay)',
  systemId: '3d5e6d35-9b9a-41e8-b843-dd3c6e72c42c',
  commonEncryptionSchemes: ['cenc', 'cbcs'],
  psshData: {
    syntax: 'json',
    encoding: 'utf8',
    template: '{"version":"V1.0","kids":["{kidBase64}"],"contentID":"{contentIdBase64}","enschema":"{scheme}"}',
  },
  contentProtectionData: CENC_PSSH,
  hlsAttributes: {
    URI: 'data:text/plain;base64,{pssh}',
    KEYFORMAT: 'urn:uuid:3d5e6d35-9b9a-41e8-b843-dd3c6e72c42c',
    KEYFORMATVERSIONS: '1',
  },
}

/** Irdeto: the box holds XML behind a head of its own. The ECM comes from Irdeto. */
export const IRDETO: DrmSystemTemplate = {
  name: 'Irdeto',
  systemId: '80a6be7e-1448-4c37-9e70-d5aebe04c8d2',
  commonEncryptionSchemes: ['cenc'],
  psshData: {
    syntax: 'xml',
    encoding: 'irdeto',
    template:
      '<CCARMHEADER version="1.0"><DATA><PROTECTINFO><KID value="{kidTextBase64}"/></PROTECTINFO>' +
      '<CCIS_URL>https://ccis.example.com</CCIS_URL></DATA></CCARMHEADER>',
  },
  contentProtectionData: CENC_PSSH,
}

/** Marlin: the MPD names the kid, the box, which has an id of its own, is empty (`marl` around an empty `mkid`). */
export const MARLIN: DrmSystemTemplate = {
  name: 'Marlin',
  systemId: '5e629af5-38da-4063-8977-97ffbd9902d4',
  commonEncryptionSchemes: ['cenc'],
  psshSystemId: '69f908af-4816-46ea-910c-cd5dcccb0a3a',
  psshData: { encoding: 'hex', template: '000000186d61726c000000106d6b69640000000000000000' },
  contentProtectionData:
    '<mas:MarlinContentIds xmlns:mas="urn:marlin:mas:1-0:services:schemas:mpd">' +
    '<mas:MarlinContentId>urn:marlin:kid:{kidHex}</mas:MarlinContentId></mas:MarlinContentIds>',
}

/** Systems whose signalling is publicly known, to copy into a configuration. */
export const DRM_SYSTEM_EXAMPLES: readonly DrmSystemTemplate[] = [NAGRA, WISEPLAY, IRDETO, MARLIN]
