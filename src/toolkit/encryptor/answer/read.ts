import { KeyProviderError } from '../../../core/errors.ts'
import type { Secret } from '../../../core/secret.ts'
import type { Kid } from '../../../formats/cenc.ts'
import { type Cpix, entriesOf, readCpix } from '../../../formats/cpix/document.ts'
import { attribute, CPIX_NAMESPACE, KID, requiredAttribute, SIXTEEN_BYTES } from '../../../formats/cpix/fields.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, childrenOf, pathOf, readXml } from '../../../formats/xml/reader.ts'
import type { BuiltRequest, KeyRequest } from '../request/build.ts'
import type { ProviderReply } from '../send.ts'
import { type Findings, keyReader, type Reader } from './keys.ts'
import { type AnsweredSystem, readSignaling } from './signaling.ts'

/** A content key of an answer. */
export interface ReceivedKey {
  /** The kid of the answer, which may differ from the request. */
  readonly kid: Kid
  readonly requested: KeyRequest
  /** Undefined if the key is encrypted and the private key is absent. */
  readonly contentKey: Secret<Uint8Array> | undefined
  readonly explicitIv: Uint8Array | undefined
}

/** An answer that an encryptor can use. */
export interface Answer {
  readonly request: BuiltRequest
  /** The document, unchanged. */
  readonly document: string
  readonly keys: readonly ReceivedKey[]
  readonly systems: readonly AnsweredSystem[]
  /** Deviations that do not prevent use. */
  readonly warnings: readonly string[]
}

/**
 * Reads the answer to a request as strictly as an encryptor. Throws ERR_ANSWER_INVALID with every problem that would stop an
 * encryptor, one per line.
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
    problems.push(
      error.code === 'ERR_XML_MALFORMED' ? `the document is not well-formed XML: ${error.message}` : error.message,
    )
  }
  throw new KeyProviderError('ERR_ANSWER_INVALID', problems.join('\n'))
}

/** In bytes and elements. An answer is larger than its request: it has boxes for every key and DRM system. */
const ANSWER_LIMITS = { bytes: 8 * 1024 * 1024, elements: 100_000 }

function readHeaders({ headers }: ProviderReply, { version }: BuiltRequest, { warning }: Findings): void {
  if (headers['content-type']?.includes('application/xml') !== true) warning('Content-Type', 'expected application/xml')
  if (version.major === 1) return
  if (headers['x-speke-version']?.trim() !== version.header) {
    warning('X-Speke-Version', `expected ${version.header}, as in the request`)
  }
  if (!headers['x-speke-user-agent']) warning('X-Speke-User-Agent', 'the header is missing; it names the key provider')
}

function readRoot(cpix: Cpix, { version, contentId }: BuiltRequest, { problem, warning }: Findings): void {
  const name = version.contentIdAttribute
  if (cpix[name] !== contentId) problem(`CPIX/@${name}`, 'differs from the request')
  if (cpix.version !== version.cpixVersion) problem('CPIX/@version', 'differs from the request')
  if (version.major === 2 && /xmlns:\w+\s*=\s*["']urn:aws:amazon:com:speke/.test(cpix.document.source)) {
    warning('CPIX', 'the document declares the SPEKE 1.0 namespace; MediaPackage v2 rejects such an answer')
  }
}

/**
 * Reads the keys and matches each with the request: by kid, or by position if the key provider answers with other kids.
 */
function readKeys(cpix: Cpix, request: BuiltRequest, reader: Reader | undefined, findings: Findings): ReceivedKey[] {
  const elements = entriesOf(cpix.lists.ContentKeyList, 'ContentKey')
  const { keys } = request
  if (elements.length !== keys.length) {
    findings.problem(
      'CPIX/ContentKeyList',
      `expected ${keys.length} ContentKey elements as in the request, got ${elements.length}`,
    )
    return []
  }
  const answered = elements.map((element) => requiredAttribute(element, 'kid', KID))
  if (new Set(answered).size < answered.length) findings.problem('CPIX/ContentKeyList', 'a kid occurs twice')
  const readKey = keyReader(cpix, request, reader, findings)
  return elements.flatMap((element, i) => {
    const kid = answered[i]
    const requested = keys.find((key) => key.kid === kid) ?? keys[i]
    if (kid === undefined || requested === undefined) return []
    if (requested.kid !== kid) {
      if (answered.includes(requested.kid))
        findings.problem(`${pathOf(element)}/@kid`, 'the request does not have this kid')
      else findings.warning(`${pathOf(element)}/@kid`, `the key provider replaces the kid ${requested.kid}`)
    }
    if (requested.scheme !== undefined && attributeOf(element, 'commonEncryptionScheme') !== requested.scheme) {
      findings.problem(`${pathOf(element)}/@commonEncryptionScheme`, 'differs from the request')
    }
    const explicitIv = readIv(element, requested, findings)
    const contentKey = readKey(element, kid)
    if (contentKey !== undefined && explicitIv !== undefined && Buffer.compare(contentKey.reveal(), explicitIv) === 0) {
      findings.problem(`${pathOf(element)}/@explicitIV`, 'equals the content key, but an IV is public')
    }
    return [{ kid, requested, contentKey, explicitIv }]
  })
}

function readIv(element: XmlElement, { explicitIv: asked, scheme }: KeyRequest, findings: Findings) {
  const explicitIv = attribute(element, 'explicitIV', SIXTEEN_BYTES)
  const place = `${pathOf(element)}/@explicitIV`
  if (asked !== undefined && (explicitIv === undefined || Buffer.compare(asked, explicitIv) !== 0)) {
    findings.problem(place, 'differs from the request')
  }
  if (asked === undefined && explicitIv !== undefined && scheme === 'cenc') {
    findings.warning(place, 'the request has no IV; renditions that start their counter at this IV share a keystream')
  }
  return explicitIv
}

/** Checks that the answer keeps the key periods unchanged. */
function readPeriods(cpix: Cpix, request: BuiltRequest, { problem }: Findings): void {
  const elements = entriesOf(cpix.lists.ContentKeyPeriodList, 'ContentKeyPeriod')
  const periods = [...new Set(request.keys.flatMap(({ period }) => period ?? []))]
  for (const { id, number, attributes } of periods) {
    const element = elements.find((one) => attributeOf(one, 'id') === id)
    if (element === undefined) problem('CPIX/ContentKeyPeriodList', `the key period with number ${number} is missing`)
    else if (attributes.some(([name, value]) => attributeOf(element, name) !== value)) {
      problem(pathOf(element), `expected ${attributes.map(([name]) => name).join(', ')} as in the request`)
    }
  }
}

/** Checks that the answer keeps the encryption contract unchanged, except kids. */
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
        `no rule assigns the kid ${answered ?? kid} to ${intendedTrackType}, as in the request`,
      )
  }
}
