import { CPIX_NAMESPACE, DATE_TIME, SPEKE_NAMESPACE, XMLDSIG_NAMESPACE } from '../../../formats/cpix/fields.ts'
import { FAIRPLAY } from '../../../formats/drm/facts.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, textOf } from '../../../formats/xml/reader.ts'
import { hasIdentity, matchChildren, ownAttributes } from '../match.ts'
import type { Problem, Rule } from '../rule.ts'
import type { CpixView } from '../view.ts'

/** Rules about what an answer must keep of its request: a key provider fills in the document of the request. */
export const ECHO_RULES: readonly Rule[] = [
  {
    id: 'element-dropped',
    group: 'echo',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints ("everything the encryptor put in the request shall carry a valid value")',
    title: 'The answer contains every element of the request',
    why: 'MediaPackage and MediaConvert stop with an error if an element they asked for is missing.',
    fix: 'Fill in the document of the request and return it. Do not write a new document.',
    *check({ request, answer }) {
      for (const { element, parent } of droppedIn(request, answer)) {
        yield { what: `${element.name}${named(element)} of the request is missing in the answer`, at: parent }
      }
    },
  },
  {
    id: 'element-added',
    group: 'echo',
    spekeOnly: true,
    subject: 'pair',
    severity: 'warning',
    clause: 'SPEKE 2.0, Standard payload components (only what is marked supported)',
    title: 'The answer contains only elements that the request asked for',
    why: 'An encryptor copies an extra DRMSystem or PSSH into manifests that cannot hold it, or stops.',
    fix: 'Fill the elements of the request. Add only Data to ContentKey, DocumentKey and MACMethod to DeliveryData, and HDCPData in SPEKE 2.1.',
    *check({ request, answer }) {
      for (const { element } of addedIn(request, answer)) {
        yield { what: `${element.name}${named(element)} is not in the request`, at: element }
      }
    },
  },
  {
    id: 'attribute-changed',
    group: 'echo',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints',
    title: 'The answer keeps the attributes of the request unchanged',
    why: 'Encryptors identify elements by attributes such as id, name, playlist and systemId.',
    fix: 'Copy every attribute of the request, including attributes you do not know.',
    *check({ request, answer }) {
      for (const pair of pairsIn(request, answer)) {
        if (OWN_RULES.has(pair.request.local)) continue
        yield* changedAttributes(pair, request.version.major)
      }
    },
  },
  {
    id: 'order-changed',
    group: 'echo',
    subject: 'pair',
    severity: 'warning',
    clause: 'SPEKE 2.0, KID override',
    title: 'Lists in the answer have the order of the request',
    why: 'If a key provider answers with other kids, an encryptor can identify its keys only by their position.',
    fix: 'Keep ContentKey, DRMSystem, ContentKeyPeriod and ContentKeyUsageRule in document order.',
    *check({ request, answer }) {
      for (const list of pairsIn(request, answer)) {
        const answered = matchChildren(list.request, list.answer)
          .matched.filter((pair) => hasIdentity(pair.request))
          .flatMap((pair) => pair.answer ?? [])
        const early = answered.find((element, i) => element.start < (answered[i - 1]?.start ?? 0))
        if (early !== undefined)
          yield { what: `the children of ${list.answer.name} have another order than in the request`, at: early }
      }
    },
  },
  {
    id: 'period-changed',
    group: 'echo',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.1, Standard payload components (ContentKeyPeriod)',
    title: 'The answer copies key periods character by character',
    why: 'MediaPackage v2 compares each period with its own and rejects another index or offset, or a missing attribute.',
    fix: 'Copy id, index, startOffset and endOffset as text.',
    *check({ request, answer }) {
      for (const pair of pairsIn(request, answer)) {
        if (pair.request.local !== 'ContentKeyPeriod') continue
        for (const problem of changedAttributes(pair, request.version.major)) {
          if (!isTime(problem.attribute)) yield problem
        }
      }
    },
  },
  {
    id: 'period-moved',
    group: 'echo',
    subject: 'pair',
    severity: 'error',
    clause: "SPEKE 2.1, Standard payload components (ContentKeyPeriod@start, @end); AWS's verification suite",
    title: 'Start and end of a key period are the same UTC instants as in the request',
    why: "MediaPackage rejects a key provider that changes the start or end of a key period. AWS's verification suite compares them as UTC instants.",
    fix: 'Copy start and end as text. Do not calculate them, and do not drop the time zone offset.',
    *check({ request, answer }) {
      for (const { pair, name, asked, answered } of timesIn(request, answer)) {
        if (asked !== undefined && asked !== answered) {
          yield { what: `@${name} is another instant than in the request`, at: pair.answer, attribute: name }
        }
      }
    },
  },
  {
    id: 'period-notation',
    group: 'echo',
    subject: 'pair',
    severity: 'warning',
    clause: 'SPEKE 2.1, Standard payload components (ContentKeyPeriod)',
    title: 'Start and end of a key period keep their notation',
    why: 'The instant is the same, but an encryptor that compares the text finds another period.',
    fix: 'Copy start and end as text. Do not parse and reformat them.',
    *check({ request, answer }) {
      for (const { pair, name, asked, answered } of timesIn(request, answer)) {
        const isSameText = attributeOf(pair.request, name) === attributeOf(pair.answer, name)
        if (!isSameText && asked === answered) {
          yield { what: `@${name} has another notation than in the request`, at: pair.answer, attribute: name }
        }
      }
    },
  },
  {
    id: 'contract-changed',
    group: 'echo',
    subject: 'pair',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (the key provider must not modify it)',
    title: 'The answer keeps the encryption contract unchanged',
    why: "The encryptor defines the contract. MediaPackage and AWS's verification suite compare it, and a changed filter applies a key to other tracks.",
    fix: 'Copy ContentKeyUsageRule with its filters. Change kid only if the kid of the key changes.',
    *check({ request, answer }) {
      for (const pair of pairsIn(request, answer)) {
        const isRule = pair.request.local === 'ContentKeyUsageRule'
        if (isRule || CONTRACT.has(pair.request.local)) yield* changedAttributes(pair, request.version.major)
      }
    },
  },
  {
    id: 'recipient-changed',
    group: 'echo',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.0, Content key encryption (DeliveryKey)',
    title: 'The answer keeps the certificate of each recipient unchanged',
    why: 'The encryptor finds its DeliveryData by the certificate. With another certificate it finds none.',
    fix: 'Copy DeliveryKey with its X509Data.',
    *check({ request, answer }) {
      for (const pair of pairsIn(request, answer)) {
        const { namespace, local } = pair.request
        if (namespace !== XMLDSIG_NAMESPACE || local !== 'X509Certificate') continue
        const compact = (view: CpixView, element: XmlElement): string =>
          textOf(view.document, element).replaceAll(/\s+/g, '')
        if (compact(request, pair.request) !== compact(answer, pair.answer)) {
          yield { what: 'the certificate differs from the request', at: pair.answer }
        }
      }
    },
  },
  {
    id: 'kid-spelling',
    group: 'echo',
    subject: 'pair',
    severity: 'warning',
    clause: 'SPEKE 2.0, Constraints (everything in the request comes back); RFC 9562, 4 (letter case)',
    title: 'Kids and system IDs have the letter case of the request',
    why: 'Upper and lower case mean the same kid, but some encryptors compare kids as text and find no match.',
    fix: 'Compare kids without regard to case, and copy the spelling of the request.',
    *check({ request, answer }) {
      for (const pair of pairsIn(request, answer)) {
        for (const name of ['kid', 'systemId']) {
          const [asked, answered] = [attributeOf(pair.request, name), attributeOf(pair.answer, name)]
          if (asked !== answered && asked?.toLowerCase() === answered?.toLowerCase()) {
            yield { what: `@${name} has another letter case than in the request`, at: pair.answer, attribute: name }
          }
        }
      }
    },
  },
  {
    id: 'kid-inconsistent',
    group: 'echo',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, KID override',
    title: 'Every kid in the answer belongs to a ContentKey',
    why: 'A DRMSystem without its key is signalling that no player can use. A rule without its key leaves a track unencrypted.',
    fix: 'If you replace a kid, replace it in ContentKey, in every DRMSystem, in every ContentKeyUsageRule and inside every box.',
    *check({ answer }) {
      const kids = new Set(answer.keys.map(({ kid }) => kid))
      const elements = [
        ...answer.systems.map(({ element }) => element),
        ...answer.usageRules.map(({ element }) => element),
      ]
      for (const element of elements) {
        const kid = attributeOf(element, 'kid')?.toLowerCase()
        if (![...kids].some((one) => one === kid)) {
          yield { what: 'no ContentKey has this kid', at: element, attribute: 'kid' }
        }
      }
    },
  },
  {
    id: 'kid-replaced',
    group: 'echo',
    subject: 'pair',
    severity: 'note',
    clause: 'SPEKE 2.0, KID override',
    title: 'The answer has the kids of the request',
    why: 'A key provider may answer with other kids, but no specification says how an encryptor with several keys matches them.',
    fix: 'Keep the kids of the request, unless your licence service requires its own.',
    *check({ request, answer }) {
      const asked = new Set(request.keys.map(({ kid }) => kid))
      for (const { kid, element } of answer.keys) {
        if (kid !== undefined && !asked.has(kid)) {
          yield { what: `the request does not have the kid ${kid}`, at: element, attribute: 'kid' }
        }
      }
    },
  },
]

const TIMES = ['start', 'end']

function isTime(name: string | undefined): boolean {
  return name !== undefined && TIMES.includes(name)
}

/** The start and end of every period of a request, and those of the answer, in milliseconds since 1970. */
function* timesIn(request: CpixView, answer: CpixView) {
  for (const pair of pairsIn(request, answer)) {
    if (pair.request.local !== 'ContentKeyPeriod') continue
    for (const name of TIMES) {
      const [asked, answered] = [pair.request, pair.answer].map((element) =>
        DATE_TIME.read(attributeOf(element, name) ?? ''),
      )
      // A missing attribute is a changed period.
      if (attributeOf(pair.request, name) !== undefined && attributeOf(pair.answer, name) !== undefined) {
        yield { pair, name, asked, answered }
      }
    }
  }
}

interface Pair {
  readonly request: XmlElement
  readonly answer: XmlElement
}

/** Elements whose attributes other rules check. */
const CONTRACT: ReadonlySet<string> = new Set(['KeyPeriodFilter', 'VideoFilter', 'AudioFilter', 'BitrateFilter'])
const OWN_RULES: ReadonlySet<string> = new Set([...CONTRACT, 'ContentKeyUsageRule', 'ContentKeyPeriod'])
/** Attributes that other rules check, by element. */
const OWN_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  CPIX: ['id', 'contentId', 'version'],
  ContentKey: ['kid', 'explicitIV', 'commonEncryptionScheme'],
  DRMSystem: ['kid', 'systemId'],
  ContentKeyUsageRule: ['kid'],
}

/** Yields every element that request and answer both have, roots first. */
function* pairsIn(request: CpixView, answer: CpixView): Iterable<Pair> {
  yield* pairsBelow({ request: request.root, answer: answer.root })
}

function* pairsBelow(pair: Pair): Iterable<Pair> {
  yield pair
  for (const { request, answer } of matchChildren(pair.request, pair.answer).matched) {
    if (answer !== undefined) yield* pairsBelow({ request, answer })
  }
}

function* changedAttributes({ request, answer }: Pair, major: 1 | 2): Iterable<Problem> {
  for (const { name, local, value } of ownAttributes(request)) {
    if (OWN_ATTRIBUTES[request.local]?.includes(local)) continue
    const answered = attributeOf(answer, name) ?? ownAttributes(answer).find((one) => one.local === local)?.value
    if (answered === value || (major === 2 && name.startsWith('speke:'))) continue
    const what = answered === undefined ? 'is missing' : 'differs from the request'
    yield { what: `@${name} of ${answer.name} ${what}`, at: answer, ...(answered !== undefined && { attribute: name }) }
  }
}

interface Lost {
  readonly element: XmlElement
  /** The element of the answer that should contain it. */
  readonly parent: XmlElement
}

function* droppedIn(request: CpixView, answer: CpixView): Iterable<Lost> {
  for (const pair of pairsIn(request, answer)) {
    for (const child of matchChildren(pair.request, pair.answer).matched) {
      if (child.answer === undefined && !mayBeDropped(child.request, request.version.major)) {
        yield { element: child.request, parent: pair.answer }
      }
    }
  }
}

function* addedIn(request: CpixView, answer: CpixView): Iterable<Lost> {
  for (const pair of pairsIn(request, answer)) {
    for (const element of matchChildren(pair.request, pair.answer).added) {
      const allowed = MAY_BE_ADDED[pair.request.local] ?? []
      if (!allowed.includes(element.local)) yield { element, parent: pair.answer }
    }
  }
}

/** Children that a key provider adds. */
const MAY_BE_ADDED: Readonly<Record<string, readonly string[]>> = {
  ContentKey: ['Data', 'HDCPData'],
  DeliveryData: ['DocumentKey', 'MACMethod'],
}

/** Elements that an answer must or may omit: signatures, history, and SPEKE 1.0 elements in SPEKE 2. */
function mayBeDropped(element: XmlElement, major: 1 | 2): boolean {
  const { namespace, local, parent } = element
  if (namespace === XMLDSIG_NAMESPACE && local === 'Signature') return true
  if (local === 'UpdateHistoryItemList') return true
  if (major === 1) return false
  if (namespace === SPEKE_NAMESPACE || (namespace === CPIX_NAMESPACE && local === 'URIExtXKey')) return true
  const system = parent && attributeOf(parent, 'systemId')?.toLowerCase()
  return local === 'ContentProtectionData' && system === FAIRPLAY
}

function named(element: XmlElement): string {
  const texts = ['kid', 'systemId', 'playlist', 'id'].flatMap((name) => {
    const value = attributeOf(element, name)
    return value === undefined ? [] : [`${name} ${value.slice(0, 64)}`]
  })
  return texts.length === 0 ? '' : ` (${texts.join(', ')})`
}
