import { METRICS, type MetricDefinition, type MetricKey, type MetricSink } from './metric-table.ts'

/** A sink that writes metrics into a log, from which CloudWatch reads them. */
interface EmfSink extends MetricSink {
  /** The values recorded since the last call, as lines of JSON: one line, and one more for each further value of a dimension. */
  take(): readonly string[]
}

interface EmfOptions {
  /** The value of the dimension `Service`, which distinguishes this function from others. */
  readonly service: string
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export const EMF_NAMESPACE = 'Keyspring'
/** The most values of a metric in one document. @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html */
const MAX_VALUES = 100

/** A metric with the values of its dimensions. */
interface Series {
  readonly definition: MetricDefinition
  readonly dimensions: Readonly<Record<string, string>>
  readonly values: number[]
}

/**
 * The metrics of the table in CloudWatch's embedded format. Counters have their labels as dimensions. A histogram has only the
 * service, because every combination is a billed metric. Gauges are left out: an instance is frozen between requests.
 */
export function emfSink({ service, now }: EmfOptions): EmfSink {
  let series = new Map<string, Series>()
  return {
    record(metric, value, ...labels) {
      const definition: MetricDefinition = METRICS[metric as MetricKey]
      if (definition.kind === 'gauge') return
      const names = definition.kind === 'counter' ? definition.labels : []
      const dimensions = Object.fromEntries(names.map((name, i) => [name, String(labels[i])]))
      const id = `${metric} ${JSON.stringify(dimensions)}`
      const one = series.get(id) ?? { definition, dimensions, values: [] }
      series.set(id, one)
      if (definition.kind === 'counter') one.values[0] = (one.values[0] ?? 0) + value
      else if (one.values.length < MAX_VALUES) one.values.push(value)
    },
    reset() {},
    watch() {},

    take() {
      const taken = [...series.values()]
      series = new Map()
      return inDocuments(taken).map((one) => JSON.stringify(documentOf(one, service, now())))
    },
  }
}

/** The fewest documents for all series: a document has one value of a dimension, and one member of a metric. */
function inDocuments(all: readonly Series[]): readonly (readonly Series[])[] {
  const documents: Series[][] = []
  for (const one of all) {
    const fits = documents.find((document) => document.every((other) => goTogether(one, other)))
    if (fits === undefined) documents.push([one])
    else fits.push(one)
  }
  return documents
}

function goTogether(a: Series, b: Series): boolean {
  if (a.definition.name === b.definition.name) return false
  return Object.entries(a.dimensions).every(([name, value]) => (b.dimensions[name] ?? value) === value)
}

function documentOf(all: readonly Series[], service: string, at: number) {
  const bySet = Map.groupBy(all, ({ dimensions }) => Object.keys(dimensions).join())
  return {
    _aws: {
      Timestamp: at,
      CloudWatchMetrics: Array.from(bySet.values(), (together) => ({
        Namespace: EMF_NAMESPACE,
        Dimensions: [['Service', ...Object.keys(together[0]?.dimensions ?? {})]],
        Metrics: together.map(({ definition: { name } }) => ({ Name: name, Unit: unitOf(name) })),
      })),
    },
    Service: service,
    ...Object.assign({}, ...all.map(({ dimensions }) => dimensions)),
    ...Object.fromEntries(
      all.map(({ definition: { name, kind }, values }) => [name, kind === 'counter' ? values[0] : values]),
    ),
  }
}

function unitOf(name: string): string {
  if (name.endsWith('_seconds')) return 'Seconds'
  return name.endsWith('_bytes') ? 'Bytes' : 'Count'
}
