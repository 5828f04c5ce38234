import { type SystemId, systemIdOf } from '../../formats/cenc.ts'
import { DRM_SYSTEMS } from '../../formats/drm/systems.ts'

/** Systems that this project does not signal, or whose boxes have an id of their own. @see DASH-IF Identifiers, content protection */
const OTHERS: ReadonlyMap<SystemId, string> = new Map([
  [systemIdOf('5e629af5-38da-4063-8977-97ffbd9902d4'), 'Marlin'],
  [systemIdOf('69f908af-4816-46ea-910c-cd5dcccb0a3a'), 'Marlin (the id of its boxes)'],
  [systemIdOf('3d5e6d35-9b9a-41e8-b843-dd3c6e72c42c'), 'ChinaDRM, WisePlay'],
  [systemIdOf('adb41c24-2dbf-4a6d-958b-4457c0d27b95'), 'Nagra PRM 3.0'],
  [systemIdOf('80a6be7e-1448-4c37-9e70-d5aebe04c8d2'), 'Irdeto'],
  [systemIdOf('9a27dd82-fde2-4725-8cbc-4234aa06ec09'), 'Verimatrix VCAS'],
  [systemIdOf('b4413586-c58c-ffb0-94a5-d4896c1af6c3'), 'Viaccess-Orca'],
  [systemIdOf('a68129d3-575b-4f1a-9cba-3223846cf7c3'), 'Synamedia'],
  [systemIdOf('f239e769-efa3-4850-9c16-a903c6932efb'), 'Adobe Primetime'],
  [systemIdOf('644fe7b5-260f-4fad-949a-0762ffb054b4'), 'CMLA (OMA DRM)'],
  [systemIdOf('29701fe4-3cc7-4a34-8c5b-ae90c7439a47'), 'FairPlay (an unofficial id of boxes)'],
  [systemIdOf('79f0049a-4098-8642-ab92-e65be0885f95'), 'PlayReady, its id in the wrong byte order (old HbbTV)'],
])

export const WIDEVINE = systemIdOf('edef8ba9-79d6-4ace-a3c8-27dcd51d21ed')
export const PLAYREADY = systemIdOf('9a04f079-9840-4286-ab92-e65be0885f95')
export const PLAYREADY_SWAPPED = systemIdOf('79f0049a-4098-8642-ab92-e65be0885f95')

/** What a system is called. */
export function systemName(systemId: SystemId): string {
  return DRM_SYSTEMS.get(systemId)?.name ?? OTHERS.get(systemId) ?? 'unknown DRM system'
}
