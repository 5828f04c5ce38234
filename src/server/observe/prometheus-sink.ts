import type { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { RenderMetrics } from '../../http/routes/metrics.ts'
import {
  type LabelValues,
  METRICS,
  type MetricDefinition,
  type MetricKey,
  type MetricSink,
  type WatchedMetric,
} from './metric-table.ts'

/** A sink that renders the text format of Prometheus. */
interface PrometheusSink extends MetricSink {
  readonly render: RenderMetrics
}

/** The metrics of the table and those of the process, in a separate registry. */
export async function prometheusSink(): Promise<PrometheusSink> {
  const { default: prom } = await import('prom-client')
  const registry: Registry = new prom.Registry()
  prom.collectDefaultMetrics({ register: registry, prefix: 'keyspring_' })
  const readers = new Map<string, () => number | Promise<number>>()

  const MAKE = {
    counter: (options: Options): Instrument => {
      const counter: Counter = new prom.Counter(options)
      return { child: (labels) => bind(counter.labels(labels), 'inc'), reset: () => counter.reset() }
    },
    gauge: (options: Options, key: string): Instrument => {
      const gauge: Gauge = new prom.Gauge({
        ...options,
        async collect() {
          const read = readers.get(key)
          if (read !== undefined) this.set(await read())
        },
      })
      return { child: (labels) => bind(gauge.labels(labels), 'set'), reset: () => gauge.reset() }
    },
    histogram: (options: Options): Instrument => {
      const histogram: Histogram = new prom.Histogram(options)
      return { child: (labels) => bind(histogram.labels(labels), 'observe'), reset: () => histogram.reset() }
    },
  }

  const instruments = new Map<MetricKey, ReturnType<typeof withChildren>>()
  for (const [key, definition] of Object.entries(METRICS) as [MetricKey, MetricDefinition][]) {
    const { name, kind, help, labels: labelNames, buckets } = definition
    const options = { name, help, labelNames, registers: [registry], ...(buckets && { buckets: [...buckets] }) }
    instruments.set(key, withChildren(MAKE[kind](options, key), labelNames))
  }
  const instrumentOf = (metric: MetricKey) => {
    const instrument = instruments.get(metric)
    if (instrument === undefined) throw new TypeError(`no metric ${metric}`)
    return instrument
  }

  return {
    record: <M extends MetricKey>(metric: M, value: number, ...labels: LabelValues<M>) =>
      instrumentOf(metric).child(labels)(value),
    reset: (metric) => instrumentOf(metric).reset(),
    watch: (metric: WatchedMetric, read) => void readers.set(metric, read),
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}

interface Options {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  readonly registers: Registry[]
}

type Take = (value: number) => void

interface Instrument {
  child(labels: Readonly<Record<string, string>>): Take
  reset(): void
}

/** Caches the child of each list of label values: the library hashes labels at each call. */
function withChildren(instrument: Instrument, names: readonly string[]) {
  let children = new Map<string, Take>()
  return {
    child(values: readonly string[]): Take {
      const key = values.length === 1 ? String(values[0]) : values.join('\n')
      const known = children.get(key)
      if (known !== undefined) return known
      const made = instrument.child(Object.fromEntries(names.map((name, at) => [name, values[at] ?? ''])))
      children.set(key, made)
      return made
    },
    reset() {
      children = new Map()
      instrument.reset()
    },
  }
}

function bind<V extends string>(child: Readonly<Record<V, Take>>, verb: V): Take {
  return (value) => child[verb](value)
}
