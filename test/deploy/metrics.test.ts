import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { METRICS, type MetricDefinition } from '../../src/server/observe/metric-table.ts'
import { codeIn, pageOf, rowsOf, sectionOf } from '../docs/pages.ts'
import { driveServer } from './driven-server.ts'
import { textOf, yamlOf } from './files.ts'
import { selectionsOf } from './promql.ts'

interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly for?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}
interface Rules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
}
interface Panel {
  readonly type: string
  readonly title: string
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}
interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] }
}

const rulesIn = (file: string): readonly Rule[] => yamlOf<Rules>(file).groups.flatMap(({ rules }) => rules)
const ALERTS = rulesIn('deploy/prometheus/alerts.yaml')
const RECORDS = rulesIn('deploy/prometheus/rules.yaml')
const DASHBOARD = JSON.parse(textOf('deploy/grafana/keyspring.json')) as Dashboard
const TABLE: readonly MetricDefinition[] = Object.values(METRICS)
const OPERATE = pageOf('docs/guides/operate.md')

const { statuses, metrics } = await driveServer()

/** Labels that Prometheus itself puts on what it reads. */
const OF_SCRAPING = ['job', 'instance']
/** The labels of every series of the server, by its name, as they were read. */
const read = new Map<string, Set<string>>()
for (const [, name = '', labels = ''] of metrics.matchAll(/^([a-z_]\w*)(?:\{(.*)\})? \S+$/gim)) {
  const known = read.get(name) ?? new Set(OF_SCRAPING)
  for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label)
  read.set(name, known)
}
const kinds = new Map(
  [...metrics.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', kind = '']): [string, string] => [name, kind]),
)

/** The series that can be asked for, with their labels: what was read, what the table says beside, what is recorded. */
const known = new Map<string, ReadonlySet<string>>([['up', new Set(OF_SCRAPING)], ...read])
for (const { name, kind, labels } of TABLE) {
  const series = kind === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
  for (const suffix of series) {
    const all = [...OF_SCRAPING, ...labels, ...(suffix === '_bucket' ? ['le'] : [])]
    known.set(name + suffix, new Set([...all, ...(known.get(name + suffix) ?? [])]))
  }
}
for (const { record, expr } of RECORDS) {
  const by = /^sum by \(([\w, ]+)\)/.exec(expr)?.[1] ?? /sum by \(([\w, ]+), le\)/.exec(expr)?.[1] ?? ''
  known.set(record ?? '', new Set(by.split(', ')))
}

function assertExists(expression: string): void {
  const selected = selectionsOf(expression)
  assert.ok(selected.length > 0, `nothing is selected by ${expression}`)
  for (const { metric, labels } of selected) {
    const labelsOf = known.get(metric)
    assert.ok(labelsOf !== undefined, `there is no ${metric}`)
    for (const label of labels) assert.ok(labelsOf.has(label), `${metric} has no label ${label}`)
  }
}

test('the driven server answered, refused and failed as it should', () => {
  assert.deepEqual(statuses, [200, 200, 422, 404, 200, 404, 200, 200, 200, 404, 200, 200, 431, 401, 403, 429])
})

describe('the metrics of a server', () => {
  for (const { name, kind, labels } of TABLE) {
    test(`have ${name} as the table says`, () => {
      assert.equal(kinds.get(name), kind)
      const seen = read.get(kind === 'histogram' ? `${name}_count` : name)
      for (const label of seen ?? []) assert.ok([...labels, ...OF_SCRAPING].includes(label), label)
      assert.match(name, /^keyspring_[a-z_]+$/)
      assert.equal(name.endsWith('_total'), kind === 'counter')
      assert.ok(!labels.some((label) => /tenant|content|kid|client$/.test(label) && label !== 'certificate'))
    })
  }

  // What the driven server must have counted: it is not enough that a name is there.
  const COUNTED = [
    'keyspring_requests_total{route="copyProtection",speke_version="1.0",status="200"} 2',
    'keyspring_requests_total{route="api",speke_version="none",status="200"} 1',
    'keyspring_requests_total{route="copyProtectionData",speke_version="none",status="404"} 1',
    'keyspring_refusals_total{code="ERR_ROUTE_NOT_FOUND"} 1',
    'keyspring_audit_records_total{action="key.issue",outcome="ok"} 1',
    'keyspring_refusals_total{code="ERR_SEAL_BROKEN"} 0',
    'keyspring_issued_keys_total{first="true"} 1',
    'keyspring_issued_keys_total{first="false"} 1',
    'keyspring_request_keys_count 2',
    'keyspring_drm_signaling_total{system="HLS AES-128 (SPEKE 1.0)"} 2',
    'keyspring_path_version_mismatches_total 1',
    'keyspring_unreadable_requests_total{status="431"} 1',
    'keyspring_player_requests_total{kind="key",outcome="served"} 1',
    'keyspring_player_requests_total{kind="key",outcome="not-found"} 1',
    'keyspring_player_requests_total{kind="license",outcome="served"} 1',
    'keyspring_auth_failures_total{method="token",reason="unknown"} 1',
    'keyspring_forbidden_total{reason="content"} 1',
    'keyspring_rate_limited_total{sender="client"} 1',
    'keyspring_store_operation_duration_seconds_count{op="putSecretIfAbsent",backend="sqlite"} 1',
    'keyspring_ready 1',
    'keyspring_requests_in_flight 0',
  ]
  for (const line of COUNTED) {
    test(`say ${line}`, () => {
      const [name = ''] = line.split(/[ {]/)
      assert.ok(
        metrics.split('\n').includes(line),
        metrics
          .split('\n')
          .filter((one) => one.startsWith(name))
          .join('\n'),
      )
    })
  }

  test('say what the root key was asked for', () => {
    assert.match(metrics, /^keyspring_root_key_operation_duration_seconds_count\{op="wrap",provider="local"\} [1-9]/m)
    assert.match(metrics, /^keyspring_data_key_lookups_total [1-9]/m)
    assert.match(metrics, /^keyspring_content_lookups_total [1-9]/m)
  })

  test('name no content, kid or client', () => {
    assert.doesNotMatch(metrics, /sample-channel|a86b3d17|packager|0123456789abcde/)
  })

  test('are documented, each with its kind and labels', () => {
    const rows = rowsOf(pageOf('docs/metrics.md').text).map(([name, kind, labels]) => [codeIn(name), kind, labels])
    assert.deepEqual(
      rows,
      TABLE.map(({ name, kind, labels }) => [name, kind, labels.map((label) => `\`${label}\``).join(', ')]),
    )
  })
})

describe('alerts', () => {
  for (const { alert = '', expr, labels, annotations } of ALERTS) {
    test(`${alert} asks for what exists`, () => assertExists(expr))

    test(`${alert} says how urgent it is, what is wrong and what to do`, () => {
      assert.match(labels?.severity ?? '', /^(?:page|warn|info)$/)
      assert.ok(annotations?.summary && annotations.description)
      assert.equal(annotations.runbook_url, `docs/guides/operate.md#${alert.toLowerCase()}`)
      assert.ok(sectionOf(OPERATE, alert).trim().length > 80)
      for (const [, label = ''] of (annotations.description ?? '').matchAll(/\$labels\.(\w+)/g)) {
        const aggregated = /^(?:sum|max|min|count) by \(([\w, ]+)\)/.exec(expr)?.[1]
        const kept = aggregated?.split(', ') ?? [...(known.get(selectionsOf(expr)[0]?.metric ?? '') ?? [])]
        assert.ok(kept.includes(label), `${label} is not in the result`)
      }
    })
  }

  test('have distinct names, and each section on what to do has its alert', () => {
    const names = ALERTS.map(({ alert }) => alert)
    assert.equal(new Set(names).size, names.length)
    const sections = [...OPERATE.text.matchAll(/^## (Keyspring\w+)$/gm)].map(([, title]) => title)
    assert.deepEqual([...sections].sort(), [...names].sort())
  })
})

describe('recording rules', () => {
  for (const { record = '', expr } of RECORDS) {
    test(`${record} sums what exists`, () => assertExists(expr))
  }
})

describe('the dashboard', () => {
  const charts = DASHBOARD.panels.filter(({ type }) => type !== 'row')
  for (const { title, targets = [] } of charts) {
    test(`shows in "${title}" what exists`, () => {
      assert.ok(targets.length > 0)
      for (const { expr, legendFormat } of targets) {
        assertExists(expr)
        for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          assert.ok(
            selectionsOf(expr).every(({ labels, metric }) => [...labels, ...(known.get(metric) ?? [])].includes(label)),
          )
        }
      }
    })
  }

  test('shows every metric of the server', () => {
    const shown = new Set(
      charts
        .flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => selectionsOf(expr)))
        .map(({ metric }) => metric),
    )
    const missing = TABLE.filter(
      ({ name }) => ![...shown].some((metric) => metric.replace(/_(?:bucket|count|sum)$/, '') === name),
    )
    assert.deepEqual(missing, [])
  })

  test('has no panel over another', () => {
    const taken = new Set<string>()
    for (const { title, gridPos } of DASHBOARD.panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!taken.has(`${x} ${y}`) && x < 24, title)
          taken.add(`${x} ${y}`)
        }
      }
    }
  })

  test('uses no variable that it has not', () => {
    const variables = new Set([...DASHBOARD.templating.list.map(({ name }) => name), '__rate_interval', '__all'])
    for (const [, name = ''] of JSON.stringify(DASHBOARD).matchAll(/\$\{?(\w+)/g)) assert.ok(variables.has(name), name)
  })
})

test('an expression that is none, or asks for what is not there, is found out', () => {
  for (const wrong of ['sum(rate(keyspring_requests_total[5m])', 'keyspring_requests_total[5m)', 'a ; b']) {
    assert.throws(() => selectionsOf(wrong), SyntaxError)
  }
  assert.deepEqual(selectionsOf('sum by (route) (rate(a_total{x="1", y!~"2"}[5m])) / b > 0.5'), [
    { metric: 'a_total', labels: ['x', 'y', 'route'] },
    { metric: 'b', labels: ['route'] },
  ])
  assert.throws(() => assertExists('keyspring_no_such_total'), /there is no/)
  assert.throws(() => assertExists('sum by (kid) (keyspring_requests_total)'), /no label kid/)
})
