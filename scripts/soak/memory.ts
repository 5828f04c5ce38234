/** What a process used at one moment of its life. */
interface Sample {
  readonly life: number
  readonly seconds: number
  readonly residentMb: number
  readonly heapMb: number
}

/** How the memory of one process went. */
export interface LifeMemory {
  readonly life: number
  readonly minutes: number
  /** Medians of the second and the last fifth of its life: the first fifth fills caches. */
  readonly heapEarlyMb: number
  readonly heapLateMb: number
  readonly residentEarlyMb: number
  readonly residentLateMb: number
  readonly residentPeakMb: number
}

/** A life too short to tell anything of. */
const MIN_SAMPLES = 20
/** What caches and the collector's mood may add. */
const FLAT_MB = 24

export interface MemoryWatch {
  sample(url: string, life: number): Promise<void>
  lives(): readonly LifeMemory[]
}

/** Reads the memory of a server from its own metrics. */
export function watchMemory(): MemoryWatch {
  const samples: Sample[] = []
  const startedAt = performance.now()
  return {
    async sample(url, life) {
      const text = await (await fetch(`${url}/metrics`)).text()
      const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
      samples.push({
        life,
        seconds: (performance.now() - startedAt) / 1_000,
        residentMb: value('keyspring_process_resident_memory_bytes') / 1e6,
        heapMb: value('keyspring_nodejs_heap_size_used_bytes') / 1e6,
      })
    },
    lives: () =>
      [...Map.groupBy(samples, ({ life }) => life)]
        .filter(([, own]) => own.length >= MIN_SAMPLES)
        .map(([life, own]) => lifeOf(life, own)),
  }
}

/** Whether a process used no more at its end than when its caches were filled. */
export function isFlat({ heapEarlyMb, heapLateMb }: LifeMemory): boolean {
  return heapLateMb <= heapEarlyMb * 1.25 + FLAT_MB
}

function lifeOf(life: number, samples: readonly Sample[]): LifeMemory {
  const fifth = Math.floor(samples.length / 5)
  const [early, late] = [samples.slice(fifth, 2 * fifth), samples.slice(-fifth)]
  return {
    life,
    minutes: ((samples.at(-1)?.seconds ?? 0) - (samples[0]?.seconds ?? 0)) / 60,
    heapEarlyMb: median(early.map(({ heapMb }) => heapMb)),
    heapLateMb: median(late.map(({ heapMb }) => heapMb)),
    residentEarlyMb: median(early.map(({ residentMb }) => residentMb)),
    residentLateMb: median(late.map(({ residentMb }) => residentMb)),
    residentPeakMb: Math.max(...samples.map(({ residentMb }) => residentMb)),
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
