import {
  COMMON_ENCRYPTION_SCHEMES,
  type CommonEncryptionScheme,
  type Kid,
  type SystemId,
  toSystemId,
} from '../../formats/cenc.ts'
import { DRM_SYSTEM_FACTS, drmSystemName, PLAYREADY, WIDEVINE } from '../../formats/drm/facts.ts'
import { disagreement } from './kids.ts'
import { type InspectFinding, type InspectNode, kidsIn, nodesIn, note, warning } from './node.ts'

/** What signalling must agree with: the element or the line that it belongs to. */
export interface Surroundings {
  readonly kids: readonly Kid[]
  /** What names `kids`. */
  readonly kidsIn: string
  readonly scheme: string | undefined
  /** What names `scheme`. */
  readonly schemeIn: string
  readonly systemId: SystemId | undefined
}

/**
 * The differences between the signalling of one element and what surrounds it: kids, DRM system and scheme. Each pssh box is
 * compared alone, so that a right box does not hide a wrong one.
 */
export function disagreements(nodes: readonly InspectNode[], surroundings: Surroundings): readonly InspectFinding[] {
  const boxes = boxesIn(nodes)
  const units = boxes.length > 1 && boxes.every((box) => nodes.includes(box)) ? boxes.map((box) => [box]) : [nodes]
  return [...units.flatMap((unit) => compareUnit(unit, surroundings)), ...repeatedSystems(boxes)]
}

/** The same for the elements of one ContentProtection: each is compared alone, and their boxes are counted together. */
export function elementDisagreements(
  elements: readonly InspectNode[],
  surroundings: Surroundings,
): readonly InspectFinding[] {
  const withBoxes = elements.filter((element) => boxesIn([element]).length > 0)
  return [
    ...elements.flatMap((element) => disagreements([element], surroundings)),
    ...(withBoxes.length > 1 ? repeatedSystems(boxesIn(withBoxes)) : []),
  ]
}

/** The pssh boxes in the trees. An element can have the same name. */
export function boxesIn(nodes: readonly InspectNode[]): readonly InspectNode[] {
  return [...nodesIn(nodes)].filter(
    ({ name, children = [] }) => name === 'pssh' && children.some((child) => child.name === 'SystemID'),
  )
}

function compareUnit(nodes: readonly InspectNode[], surroundings: Surroundings): readonly InspectFinding[] {
  const { kids, scheme, schemeIn, systemId } = surroundings
  const findings = [...disagreement(kids, kidsIn(nodes), surroundings.kidsIn)]
  let isWidevine = false
  let namesScheme = false
  for (const { name, value } of nodesIn(nodes)) {
    if (name === 'SystemID' && value === WIDEVINE) isWidevine = true
    if (name === 'protection_scheme') namesScheme = true
    if (name === 'SystemID' && value !== undefined && isOtherSystem(value, systemId)) {
      findings.push(warning(`the box is of ${nameOf(value)}, not of the system of this element`))
    }
    if (name === PLAYREADY_OBJECT && systemId !== undefined && systemId !== PLAYREADY) {
      findings.push(warning(`${name} is of PlayReady, not of the system of this element`))
    }
    const wanted = SCHEME_WORDS[`${name} ${value}`]
    if (wanted !== undefined && isScheme(scheme) && !wanted.includes(scheme)) {
      findings.push(warning(`says ${wanted[0]} (${name} ${value}), ${schemeIn} ${scheme}: players cannot decrypt`))
    }
  }
  if (isWidevine && !namesScheme && scheme === 'cbcs')
    findings.push(note('the Widevine box names no protection_scheme: some players assume cenc'))
  return findings
}

/** The DRM systems of which there are several boxes where players expect one. */
export function repeatedSystems(boxes: readonly InspectNode[]): readonly InspectFinding[] {
  const systems = boxes.flatMap((box) => box.children?.find(({ name }) => name === 'SystemID')?.value ?? [])
  const repeated = new Set(systems.filter((systemId, i) => systems.indexOf(systemId) !== i))
  return [...repeated].map((systemId) => {
    const count = systems.filter((one) => one === systemId).length
    return warning(`there are ${count} pssh boxes of ${nameOf(systemId)}: many players use only the first`)
  })
}

function nameOf(text: string): string {
  const systemId = toSystemId(text)
  return systemId === undefined ? text : drmSystemName(systemId)
}

function isOtherSystem(value: string, systemId: SystemId | undefined): boolean {
  return systemId !== undefined && value !== systemId && value !== DRM_SYSTEM_FACTS.get(systemId)?.psshSystemId
}

/** The element of an MPD that holds a PlayReady Object. */
const PLAYREADY_OBJECT = 'mspr:pro'

function isScheme(text: string | undefined): text is CommonEncryptionScheme {
  return (COMMON_ENCRYPTION_SCHEMES as readonly (string | undefined)[]).includes(text)
}

/**
 * The values of signalling that mean a scheme, and the schemes that they fit. ALGID names only the cipher mode. SAMPLE-AES is
 * written for both by servers of encryptors that know no other METHOD.
 */
const SCHEME_WORDS: Readonly<Record<string, readonly CommonEncryptionScheme[]>> = {
  'protection_scheme cenc': ['cenc'],
  'protection_scheme cens': ['cens'],
  'protection_scheme cbc1': ['cbc1'],
  'protection_scheme cbcs': ['cbcs'],
  'ALGID AESCTR': ['cenc', 'cens'],
  'ALGID AESCBC': ['cbcs', 'cbc1'],
  'METHOD SAMPLE-AES-CTR': ['cenc', 'cens'],
}
