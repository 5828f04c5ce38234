import type { Filling } from '../../core/template.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import {
  appendContent,
  applyEdits,
  type Edit,
  removeAttribute,
  removeElement,
  setAttribute,
  setContent,
} from '../../formats/xml/edits.ts'
import { readXml } from '../../formats/xml/reader.ts'
import type { EncryptorName } from '../../protocols/speke/tables/presets.ts'
import { SPEKE_VERSIONS } from '../../protocols/speke/tables/versions.ts'
import { type BuiltRequest, buildRequest } from '../encryptor/request/build.ts'
import { nameUuid, type PeriodTiming, periodsOf } from '../encryptor/request/periods.ts'
import { tracksOf } from '../encryptor/request/presets.ts'
import { CONTAINERS, SHAPES } from '../encryptor/request/shapes.ts'
import { systemsOf } from '../encryptor/systems.ts'

export type SpekeHeader = '1.0' | '2.0' | '2.1'
/** The SPEKE 2 versions. */
export const V2: readonly SpekeHeader[] = ['2.0', '2.1']

/** The options that all requests of a run share. */
export interface QuestionOptions {
  readonly as: EncryptorName
  /** The DRM systems that the key provider supports, by the names of `--drm`. */
  readonly drm: readonly string[]
  /** The prefix of every contentId. It is constant, so that repeated runs create no further contents. */
  readonly contentId: string
  /** A part of contentIds that differs in every run: for contents that no one has requested before. */
  readonly fresh: string
  /** The certificate to encrypt for (DER). */
  readonly certificate: Uint8Array
}

/** The content of one request. Absent members have the defaults of the encryptor. */
export interface Asked {
  readonly speke: SpekeHeader
  readonly content?: string
  readonly drm?: readonly string[]
  readonly scheme?: string
  readonly video?: string
  readonly audio?: string
  readonly container?: string
  /** Number of key periods; 0 for VOD. */
  readonly periods?: number
  readonly firstPeriod?: number
  readonly timing?: PeriodTiming
  /** Offsets into the content instead of times of day. */
  readonly vodTimes?: true
  readonly iv?: 'new' | 'none'
  readonly encrypted?: boolean
}

/** Builds a request like the encryptor. Returns undefined if it does not support the version, or if a system is not in `drm`. */
export type Ask = (asked: Asked) => BuiltRequest | undefined

/** Returns the builder of the requests of a run. */
export function asker(options: QuestionOptions): Ask {
  const shape = SHAPES[options.as]
  return (asked) => {
    const version = SPEKE_VERSIONS.get(asked.speke)
    const { scheme = 'cenc' } = asked
    const drm = asked.drm ?? systemsFor(scheme, options.drm)
    if (version === undefined || !shape.versions.includes(version.header) || drm.length === 0) return undefined
    if (drm.some((name) => !options.drm.includes(name))) return undefined
    const contentId = `${options.contentId}${asked.content === undefined ? '' : `-${asked.content}`}`
    const isV1 = version.major === 1
    const count = asked.periods ?? (shape.live ? 1 : 0)
    const firstIndex = asked.firstPeriod ?? shape.firstPeriodIndex
    return buildRequest({
      shape,
      version,
      contentId,
      tracks: tracksOf(isV1 ? { video: 'SHARED' } : asked),
      systems: systemsOf(drm, version.major),
      scheme,
      slots: CONTAINERS[asked.container ?? 'all'] ?? [],
      periods: periodsOf({
        contentId,
        version,
        count,
        firstIndex,
        interval: PERIOD_SECONDS,
        timing: asked.timing ?? 'INDEX_ONLY',
        start: asked.vodTimes ? undefined : FIRST_PERIOD + firstIndex * PERIOD_SECONDS * 1000,
      }),
      kidOf: (track, period) => nameUuid('kid', contentId, track, String(period?.number ?? '')),
      ivOf: (kid) => ((asked.iv ?? shape.explicitIv) === 'new' ? ivOf(kid) : undefined),
      certificates: asked.encrypted ? [options.certificate] : [],
    })
  }
}

/** The systems in `known` that support a scheme. */
function systemsFor(scheme: string, known: readonly string[]): readonly string[] {
  return (SYSTEMS_FOR[scheme] ?? []).filter((name) => known.includes(name))
}

const SYSTEMS_FOR: Readonly<Record<string, readonly string[]>> = {
  cenc: ['widevine', 'playready'],
  cbcs: ['widevine', 'playready', 'fairplay'],
  cbc1: ['aes-128'],
}
const PERIOD_SECONDS = 60
const FIRST_PERIOD = Date.UTC(2026, 0, 1)

/** An IV derived from the kid, so that the same request is always identical. */
function ivOf(kid: Kid): Uint8Array {
  return Buffer.from(nameUuid('iv', kid).replaceAll('-', ''), 'hex')
}

/** A change of a request, as edits of its document. */
export type Change = (document: XmlDocument) => readonly Edit<Filling>[]

/** Returns the request after all changes. */
export function changed(xml: string, ...changes: readonly Change[]): string {
  return changes.reduce((text, change) => {
    const document = readXml(Buffer.from(text))
    return applyEdits(document.source, change(document)).text
  }, xml)
}

/** The elements that a change applies to: all with the name, or the one at an index (negative from the end). */
type Which = 'all' | number

/** Sets an attribute of elements, or removes it if `value` is undefined. */
export function attributes(
  local: string,
  name: string,
  value: string | undefined | ((old: string) => string),
  which: Which = 'all',
): Change {
  return (document) =>
    picked(document, local, which).flatMap((element) => {
      const old = element.attributes.find((one) => one.name === name)
      if (value === undefined) return old === undefined ? [] : [removeAttribute(document, old)]
      return [setAttribute(element, name, typeof value === 'string' ? value : value(old?.value ?? ''))]
    })
}

/** Removes elements. */
export function without(local: string, which: Which = 'all'): Change {
  return (document) => picked(document, local, which).map((element) => removeElement(document, element))
}

/** Replaces the content of elements. */
export function content(local: string, markup: string, which: Which = 'all'): Change {
  return (document) => picked(document, local, which).map((element) => setContent(document, element, markup))
}

/** Adds markup at the end of elements. */
export function appended(local: string, markup: string, which: Which = 'all'): Change {
  return (document) => picked(document, local, which).map((element) => appendContent(document, element, markup))
}

/** Duplicates an element. */
export function twice(local: string, which: Which = 0): Change {
  return (document) =>
    picked(document, local, which).map((element) => ({
      start: element.end,
      end: element.end,
      replacement: document.source.slice(element.start, element.end),
    }))
}

/** Inserts markup before the children of the root. */
export function beforeLists(markup: string): Change {
  return ({ root }) => [{ start: root.contentStart, end: root.contentStart, replacement: markup }]
}

function picked({ root }: XmlDocument, local: string, which: Which): readonly XmlElement[] {
  const found: XmlElement[] = []
  const visit = (element: XmlElement): void => {
    if (element.local === local) found.push(element)
    for (const child of element.children) visit(child)
  }
  visit(root)
  if (which === 'all') return found
  const one = found.at(which)
  return one === undefined ? [] : [one]
}
