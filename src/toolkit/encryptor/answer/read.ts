import { KeyProviderError } from '../../../core/errors.ts'
import type { Secret } from '../../../core/secret.ts'
import type { Kid } from '../../../formats/cenc.ts'
import { type Cpix, entriesOf, readCpix } from '../../../formats/cpix/document.ts'
import { attribute, KID, requiredAttribute, SIXTEEN_BYTES } from '../../../formats/cpix/fields.ts'
import { CPIX_NAMESPACE } from '../../../formats/cpix/names.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, childrenOf, pathOf, readXml } from '../../../formats/xml/reader.ts'
import type { BuiltRequest, KeyRequest } from '../request/build.ts'
import type { ProviderReply } from '../send.ts'
import type { Findings } from './findings.ts'
import { keyReader, type Reader } from './keys.ts'
import { type AnsweredSystem, readSignaling } from './signaling.ts'

/** A content key as answered. */
export interface ReceivedKey {
  /** As answered, which may be another than asked for. */
  readonly kid: Kid
  readonly requested: KeyRequest
  /** Undefined: encrypted for somebody whose private key is not here. */
  readonly contentKey: Secret<Uint8Array> | undefined
  readonly explicitIv: Uint8Array | undefined
}

/** An answer that an encryptor could work with. */
export interface Answer {
  readonly request: BuiltRequest
  /** The document as it came. */
  readonly document: string
  readonly keys: readonly ReceivedKey[]
  readonly systems: readonly AnsweredSystem[]
  /** What is odd, yet does not stand in the way. */
  readonly warnings: readonly string[]
}

/**
 * The answer to a request, read as strictly as an encryptor would. Throws ERR_ANSWER_INVALID with every problem, one a
 * line, when it would stop. @see speke.md 4, 9, 10
 */
export function readAnswer(reply: ProviderReply, request: BuiltRequest, reader: Reader | undefined): Answer {
  const problems: string[] = []
  const warnings: string[] = []
  const findings: Findings = {
    problem: (place, rule) => void problems.push(`${place}: ${rule}`),
    warning: (place, rule) => void warnings.push(`${place}: ${rule}`),
  }
  readHeaders(reply, request, findings)
  try {
    const cpix = readCpix(readXml(reply.body, ANSWER_LIMITS))
    readRoot(cpix, request, findings)
    const keys = readKeys(cpix, request, reader, findings)
    const kids = new Map(keys.map(({ kid, requested }) => [requested.kid, kid]))
    const systems = readSignaling(cpix, request, kids, findings)
    readPeriods(cpix, request, findings)
    readRules(cpix, request, kids, findings)
    if (problems.length === 0) return { request, document: cpix.document.source, keys, systems, warnings }
  } catch (error) {
    if (!(error instanceof KeyProviderError)) throw error
    problems.push(error.code === 'ERR_XML_MALFORMED' ? `not well-formed XML: ${error.message}` : error.message)
  }
  throw new KeyProviderError('ERR_ANSWER_INVALID', problems.join('\n'))
}

/** An answer is larger than its request: keys encrypted for many, boxes for every key and system. */
const ANSWER_LIMITS = { bytes: 8 * 1024 * 1024, elements: 100_000 }

/** @see speke.md 2.2 */
function readHeaders({ headers }: ProviderReply, { version }: BuiltRequest, { warning }: Findings): void {
  if (headers['content-type']?.includes('application/xml') !== true) warning('Content-Type', 'must be application/xml')
  if (version.major === 1) return
  if (headers['x-speke-version']?.trim() !== version.header) {
    warning('X-Speke-Version', `must be ${version.header}, as in the request`)
  }
  if (!headers['x-speke-user-agent']) warning('X-Speke-User-Agent', 'is missing: it names the key provider')
}

function readRoot(cpix: Cpix, { version, contentId }: BuiltRequest, { problem, warning }: Findings): void {
  const name = version.contentIdAttribute
  if (cpix[name] !== contentId) problem(`CPIX/@${name}`, 'must be as in the request')
  if (cpix.version !== version.cpixVersion) problem('CPIX/@version', 'must be as in the request')
  if (version.major === 2 && /xmlns:\w+\s*=\s*["']urn:aws:amazon:com:speke/.test(cpix.document.source)) {
    warning('CPIX', 'declares the namespace of SPEKE 1.0, for which MediaPackage v2 rejects an answer')
  }
}

/**
 * The keys, each with the one it was asked for as: by kid, else by its place in the list, since a key provider may answer
 * with other kids and place is then the only handle. @see speke.md 10, KID override
 */
function readKeys(cpix: Cpix, request: BuiltRequest, reader: Reader | undefined, findings: Findings): ReceivedKey[] {
  const elements = entriesOf(cpix.lists.ContentKeyList, 'ContentKey')
  const { keys } = request
  if (elements.length !== keys.length) {
    findings.problem(
      'CPIX/ContentKeyList',
      `expected ${keys.length} ContentKey, as in the request, not ${elements.length}`,
    )
    return []
  }
  const answered = elements.map((element) => requiredAttribute(element, 'kid', KID))
  if (new Set(answered).size < answered.length) findings.problem('CPIX/ContentKeyList', 'a kid stands twice')
  const readKey = keyReader(cpix, request, reader, findings)
  return elements.flatMap((element, i) => {
    const kid = answered[i]
    const requested = keys.find((key) => key.kid === kid) ?? keys[i]
    if (kid === undefined || requested === undefined) return []
    if (requested.kid !== kid) {
      if (answered.includes(requested.kid)) findings.problem(`${pathOf(element)}/@kid`, 'was not asked for')
      else findings.warning(`${pathOf(element)}/@kid`, `replaces the kid ${requested.kid}`)
    }
    if (requested.scheme !== undefined && attributeOf(element, 'commonEncryptionScheme') !== requested.scheme) {
      findings.problem(`${pathOf(element)}/@commonEncryptionScheme`, 'must be as in the request')
    }
    const explicitIv = readIv(element, requested, findings)
    const contentKey = readKey(element, kid)
    if (contentKey !== undefined && explicitIv !== undefined && Buffer.compare(contentKey.reveal(), explicitIv) === 0) {
      findings.problem(`${pathOf(element)}/@explicitIV`, 'is the content key: an IV is public')
    }
    return [{ kid, requested, contentKey, explicitIv }]
  })
}

function readIv(element: XmlElement, { explicitIv: asked, scheme }: KeyRequest, findings: Findings) {
  const explicitIv = attribute(element, 'explicitIV', SIXTEEN_BYTES)
  const place = `${pathOf(element)}/@explicitIV`
  if (asked !== undefined && (explicitIv === undefined || Buffer.compare(asked, explicitIv) !== 0)) {
    findings.problem(place, 'must be as in the request')
  }
  if (asked === undefined && explicitIv !== undefined && scheme === 'cenc') {
    findings.warning(place, 'was not asked for: renditions that start their counter from it share a keystream')
  }
  return explicitIv
}

/** Periods come back as they were sent. @see speke.md 8 */
function readPeriods(cpix: Cpix, request: BuiltRequest, { problem }: Findings): void {
  const elements = entriesOf(cpix.lists.ContentKeyPeriodList, 'ContentKeyPeriod')
  const periods = [...new Set(request.keys.flatMap(({ period }) => period ?? []))]
  for (const { id, number, attributes } of periods) {
    const element = elements.find((one) => attributeOf(one, 'id') === id)
    if (element === undefined) problem('CPIX/ContentKeyPeriodList', `the period number ${number} is missing`)
    else if (attributes.some(([name, value]) => attributeOf(element, name) !== value)) {
      problem(pathOf(element), `must have ${attributes.map(([name]) => name).join(', ')} as in the request`)
    }
  }
}

/** The encryption contract comes back as it was sent, kids apart. @see speke.md 6 */
function readRules(cpix: Cpix, request: BuiltRequest, kids: ReadonlyMap<Kid, Kid>, { problem }: Findings): void {
  if (request.version.major === 1) return
  const rules = entriesOf(cpix.lists.ContentKeyUsageRuleList, 'ContentKeyUsageRule')
  for (const { kid, intendedTrackType, period } of request.keys) {
    const answered = kids.get(kid)
    const own = rules.filter((rule) => attributeOf(rule, 'kid')?.toLowerCase() === answered)
    const fits = own.some(
      (rule) =>
        attributeOf(rule, 'intendedTrackType') === intendedTrackType &&
        (period === undefined ||
          childrenOf(rule, CPIX_NAMESPACE, 'KeyPeriodFilter').some(
            (filter) => attributeOf(filter, 'periodId') === period.id,
          )),
    )
    if (!fits)
      problem(
        'CPIX/ContentKeyUsageRuleList',
        `no rule ties the kid ${answered ?? kid} to ${intendedTrackType}, as in the request`,
      )
  }
}
