import { KeyProviderError } from '../../../core/errors.ts'
import { fillText, type Part, type Template } from '../../../core/template.ts'
import { COMMON_ENCRYPTION_SCHEMES, type CommonEncryptionScheme, type SystemId, toSystemId } from '../../cenc.ts'
import { base64Of, givenPssh, signalElements } from '../elements.ts'
import { type HlsAttribute, hlsAttributeList, hlsMethod } from '../hls.ts'
import { psshTemplate } from '../payloads/pssh.ts'
import { DEFAULT_SETTINGS } from '../settings.ts'
import type { DrmSystem, KeyFilling, SignalInput } from '../system.ts'
import { type PsshDataTemplate, readPsshData } from './pssh-data.ts'
import {
  PLACEHOLDERS,
  printTextTemplate,
  readTextTemplate,
  sampleFilling,
  sampleInput,
  xmlFragmentProblem,
} from './text.ts'

/** A DRM system described by configuration. It signals only the given members. */
export interface DrmSystemTemplate {
  readonly name: string
  readonly systemId: string
  readonly commonEncryptionSchemes: readonly CommonEncryptionScheme[]
  /** Default `drm`. */
  readonly contentKeyClass?: 'clear' | 'drm' | undefined
  /** Default both. */
  readonly spekeMajors?: readonly (1 | 2)[] | undefined
  /** The ID in the box, if it differs from `systemId`. */
  readonly psshSystemId?: string | undefined
  /** The data of the version 0 box. */
  readonly psshData?: PsshDataTemplate | undefined
  /** XML; `{pssh}` is the box in base64. */
  readonly contentProtectionData?: string | undefined
  /** The attributes behind METHOD, in order, unquoted here; `{pssh}` is the box in base64. */
  readonly hlsAttributes?: Readonly<Record<string, string>> | undefined
}

/** The system that `config` describes. Throws ERR_CONFIG_INVALID, naming the member, for an invalid description. */
export function drmSystemFromTemplate(config: DrmSystemTemplate): DrmSystem {
  const where = `DRM system ${config.name}`
  const systemId = readSystemId(config.systemId, `${where}: systemId`)
  const schemes = config.commonEncryptionSchemes
  if (schemes.length === 0 || schemes.some((scheme) => !COMMON_ENCRYPTION_SCHEMES.includes(scheme))) {
    throw invalid(`${where}: commonEncryptionSchemes: expected some of ${COMMON_ENCRYPTION_SCHEMES.join(', ')}`)
  }
  const pssh = readPssh(config, systemId, where)
  const names = pssh === undefined ? PLACEHOLDERS : [...PLACEHOLDERS, 'pssh']
  const contentProtectionData = readContentProtectionData(config.contentProtectionData, where, names)
  const hlsAttributes = readHlsAttributes(config.hlsAttributes, where, names)

  const system: DrmSystem = {
    name: config.name,
    systemId,
    commonEncryptionSchemes: schemes,
    contentKeyClass: config.contentKeyClass ?? 'drm',
    spekeMajors: config.spekeMajors ?? [1, 2],
    signal(input) {
      const box = pssh?.(input)
      const boxBase64 = box === undefined ? '' : base64Of(box)
      const method = hlsMethod(input.commonEncryptionScheme, input.settings)
      return {
        ...(box && { pssh: box }),
        ...(contentProtectionData && { contentProtectionData: contentProtectionData(input, boxBase64) }),
        ...(hlsAttributes &&
          method !== undefined && { hlsAttributes: hlsAttributeList(method, hlsAttributes(input, boxBase64)) }),
      }
    },
  }
  tryOut(system, where)
  return system
}

function readPssh(
  { name, psshSystemId, psshData }: DrmSystemTemplate,
  systemId: SystemId,
  where: string,
): ((input: SignalInput) => Template<KeyFilling>) | undefined {
  if (psshData === undefined) {
    if (psshSystemId !== undefined) throw invalid(`${where}: psshSystemId: expected psshData too, which makes the box`)
    return undefined
  }
  const boxId = psshSystemId === undefined ? systemId : readSystemId(psshSystemId, `${where}: psshSystemId`)
  const data = readPsshData(psshData, `${where}: psshData`)
  return (input) =>
    input.pssh === undefined
      ? psshTemplate({ systemId: boxId, kids: [], data: data(input) })
      : givenPssh(input.pssh, boxId, name).pssh
}

type Print<T> = (input: SignalInput, pssh: Part<KeyFilling>) => T

function readContentProtectionData(
  text: string | undefined,
  where: string,
  names: readonly string[],
): Print<Template<KeyFilling>> | undefined {
  if (text === undefined) return undefined
  const template = readTextTemplate(text, `${where}: contentProtectionData`, names)
  return (input, pssh) => printTextTemplate(template, 'xml', input, { pssh })
}

function readHlsAttributes(
  attributes: Readonly<Record<string, string>> | undefined,
  where: string,
  names: readonly string[],
): Print<readonly HlsAttribute[]> | undefined {
  if (attributes === undefined) return undefined
  const templates = Object.entries(attributes).map(([name, text]) => {
    const member = `${where}: hlsAttributes: ${name}`
    if (!/^[A-Z0-9-]+$/.test(name) || name === 'METHOD')
      throw invalid(`${member}: expected another attribute than METHOD`)
    // A contentId can contain quotation marks, which only a URI can escape.
    const known = name === 'URI' ? names : names.filter((placeholder) => placeholder !== 'contentId')
    return { name, template: readTextTemplate(text, member, known) }
  })
  return (input, pssh) =>
    templates.map(({ name, template }) => [name, printTextTemplate(template, 'uri', input, { pssh })])
}

/** Finds the problems that only a result shows: a fragment that is not XML, a quotation mark in an HLS attribute. */
function tryOut(system: DrmSystem, where: string): void {
  for (const scheme of system.commonEncryptionSchemes) {
    const input = sampleInput(scheme, DEFAULT_SETTINGS)
    try {
      signalElements(system, input)
    } catch (cause) {
      if (cause instanceof KeyProviderError && cause.code === 'ERR_CONFIG_INVALID') throw cause
      const problem = cause instanceof Error ? cause.message : String(cause)
      throw new KeyProviderError('ERR_CONFIG_INVALID', `${where}: ${problem}`, { cause })
    }
    const { contentProtectionData } = system.signal(input, system)
    const problem = contentProtectionData && xmlFragmentProblem(fillText(contentProtectionData, sampleFilling()))
    if (problem !== undefined) throw invalid(`${where}: contentProtectionData: not well-formed XML: ${problem}`)
  }
}

function readSystemId(text: string, where: string): SystemId {
  const systemId = toSystemId(text)
  if (systemId === undefined) throw invalid(`${where}: expected a UUID`)
  return systemId
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_CONFIG_INVALID', problem)
}
