import type { KeyObject } from 'node:crypto'
import type { XmlElement } from '../../formats/xml/document.ts'
import { positionOf } from '../../formats/xml/reader.ts'
import type { EncryptorName } from '../../protocols/speke/tables/presets.ts'
import type { SpekeVersion } from '../../protocols/speke/tables/versions.ts'
import type {
  ExpectedRefusal,
  JudgedReply,
  Problem,
  RelatedAnswer,
  Rule,
  RuleGroup,
  RuleOf,
  Severity,
  Subject,
  Subjects,
} from './rule.ts'
import { RULES } from './rules.ts'
import { isPlainCpix, type Side } from './side.ts'
import type { CpixView } from './view.ts'

/** The documents and replies to check. Rules skip what is absent. */
export interface Evidence {
  readonly as: EncryptorName
  readonly version: SpekeVersion
  readonly request?: Side | undefined
  readonly answer?: Side | undefined
  readonly privateKey?: KeyObject | undefined
  /** The HTTP reply, or the reason why none arrived. Absent if there was no exchange. */
  readonly reply?: { readonly reply: JudgedReply | undefined; readonly failure: string | undefined } | undefined
  /** Set if the key provider must reject the request. */
  readonly refusal?: ExpectedRefusal | undefined
  readonly related?: readonly RelatedAnswer[]
}

/** A problem and the rule that found it. */
export interface Finding {
  readonly rule: string
  readonly group: RuleGroup
  readonly severity: Severity
  /** One line of text that never contains a key. */
  readonly what: string
  /** Undefined if it concerns the whole document. */
  readonly place: Place | undefined
}

/** A place in a document or in the headers of the reply. */
interface Place {
  readonly side: 'request' | 'answer' | 'reply'
  /** An XPath, or the name of a header. */
  readonly path: string
  readonly line: number | undefined
  readonly column: number | undefined
}

interface Judgement {
  readonly findings: readonly Finding[]
  /** The IDs of the rules that applied. */
  readonly looked: ReadonlySet<string>
}

/** Checks the evidence against every rule that applies. Returns findings in document order. */
export function judge(evidence: Evidence, rules: readonly Rule[] = RULES): Judgement {
  const findings: Finding[] = []
  const looked = new Set<string>()
  const subjects = subjectsOf(evidence)
  const sides = {
    request: evidence.request?.view ?? evidence.request?.document,
    answer: evidence.answer?.view ?? evidence.answer?.document,
  }
  for (const rule of rules) {
    const severity = severityOf(rule, evidence.as)
    if (severity === 'off' || !appliesTo(rule, evidence.version)) continue
    for (const subject of subjects[rule.subject]) {
      looked.add(rule.id)
      for (const problem of checkOf(rule)({ ...subject.of, as: evidence.as })) {
        findings.push({
          rule: rule.id,
          group: rule.group,
          severity,
          what: problem.what,
          place: placeOf(problem, subject.side, evidence, sides),
        })
      }
    }
  }
  return { findings: findings.toSorted(byPlace), looked }
}

/** The severity of a rule for an encryptor; `off` if the encryptor ignores it. */
function severityOf({ severity, severityAs }: Rule, as: EncryptorName): Severity | 'off' {
  return severityAs?.[as] ?? severity
}

function appliesTo({ spekeOnly, majors }: Rule, version: SpekeVersion): boolean {
  if (isPlainCpix(version)) return spekeOnly !== true && majors?.includes(1) !== true
  return majors?.includes(version.major) !== false
}

type SideName = 'request' | 'answer'
interface SubjectOn<S extends Subject> {
  readonly of: Subjects[S]
  readonly side: SideName
}
type AllSubjects = { readonly [S in Subject]: readonly SubjectOn<S>[] }

function subjectsOf(evidence: Evidence): AllSubjects {
  const { version, privateKey, reply, refusal, related = [] } = evidence
  const request = evidence.request?.view
  const answer = evidence.answer?.view
  const mustAnswer = refusal === undefined
  const documents: SubjectOn<'document'>[] = []
  if (evidence.request !== undefined && reply === undefined) {
    documents.push({ of: { side: evidence.request }, side: 'request' })
  }
  if (evidence.answer !== undefined) documents.push({ of: { side: evidence.answer }, side: 'answer' })
  const on = <S extends Subject>(side: SideName, of: Subjects[S] | undefined): SubjectOn<S>[] =>
    of === undefined ? [] : [{ of, side }]
  return {
    document: documents,
    // The request of an exchange is faulty on purpose, or known to be valid.
    request: on('request', request && reply === undefined ? { request } : undefined),
    answer: on('answer', answer && { answer, request, privateKey }),
    pair: on('answer', request && answer && { request, answer }),
    // A reply must arrive even if the request must be rejected.
    reply: on(
      'answer',
      reply !== undefined && (mustAnswer || reply.reply === undefined) ? { ...reply, version } : undefined,
    ),
    refusal: on(
      'answer',
      refusal !== undefined && reply?.reply !== undefined
        ? { reply: reply.reply, expected: refusal, version }
        : undefined,
    ),
    related: answer === undefined ? [] : related.map((other) => ({ of: { answer, other }, side: 'answer' as const })),
  }
}

/** `subjectsOf` pairs each rule with a subject of its kind, which the type system cannot express. */
function checkOf(rule: Rule): RuleOf<Subject>['check'] {
  return rule.check as RuleOf<Subject>['check']
}

type Sides = Readonly<Record<SideName, CpixView | CpixView['document'] | undefined>>

function placeOf(
  { at, attribute, side: named, header }: Problem,
  own: SideName,
  evidence: Evidence,
  sides: Sides,
): Place | undefined {
  if (header !== undefined) return { side: 'reply', path: header, line: undefined, column: undefined }
  const side = named ?? own
  if (at === undefined) {
    const unread = evidence[side]?.problem
    return unread && { side, path: '/', line: unread.line, column: unread.column }
  }
  const known = sides[side]
  const document = known !== undefined && 'document' in known ? known.document : known
  const offset = at.attributes.find(({ name }) => name === attribute)?.start ?? at.start
  const position = document && positionOf(document, offset)
  return { side, path: xpathOf(at, attribute), line: position?.line, column: position?.column }
}

function byPlace(a: Finding, b: Finding): number {
  const sideOf = ({ place }: Finding): number => ['reply', 'request', 'answer'].indexOf(place?.side ?? 'reply')
  return (
    sideOf(a) - sideOf(b) ||
    (a.place?.line ?? 0) - (b.place?.line ?? 0) ||
    (a.place?.column ?? 0) - (b.place?.column ?? 0)
  )
}

/** The XPath of an element or attribute, with the prefixes of the document: `/cpix:CPIX/cpix:ContentKeyList/cpix:ContentKey[2]/@kid`. */
function xpathOf(element: XmlElement, attribute?: string): string {
  const steps: string[] = attribute === undefined ? [] : [`@${attribute}`]
  for (let at: XmlElement | undefined = element; at !== undefined; at = at.parent) {
    const { name } = at
    const same = at.parent?.children.filter((child) => child.name === name) ?? []
    steps.push(same.length > 1 ? `${name}[${same.indexOf(at) + 1}]` : name)
  }
  return `/${steps.reverse().join('/')}`
}
