import type { NativeAudioSource, NativeEvents, NativeResult, NativeSegment, NativeTask } from '../native.ts'
import { joinWarnings } from '../warnings.ts'

type Start = (source: NativeAudioSource, events: NativeEvents) => NativeTask<NativeResult>

/**
 * Transcribes each channel as a recording of its own, one after the other.
 *
 * Segments come in the order of time: those of all channels but the last are held back until it is known that no earlier one follows, so that
 * they come while the last channel is transcribed.
 */
export function transcribeChannels(
  source: NativeAudioSource,
  start: Start,
  events: NativeEvents,
): NativeTask<NativeResult> {
  const job = new ChannelsJob(source, start, events)
  return { result: job.run(), cancel: () => job.cancel() }
}

class ChannelsJob {
  readonly #source: NativeAudioSource
  readonly #start: Start
  readonly #events: NativeEvents
  /** Of channels before, in the order of time. */
  #held: NativeSegment[] = []
  #task: NativeTask<NativeResult> | undefined
  #cancelled = false

  constructor(source: NativeAudioSource, start: Start, events: NativeEvents) {
    this.#source = source.kind === 'pcm' ? { ...source, keep: true } : source
    this.#start = start
    this.#events = events
  }

  async run(): Promise<NativeResult> {
    const results: NativeResult[] = []
    let count = this.#source.kind === 'pcm' ? this.#source.channels : 1
    for (let channel = 0; channel < count; channel++) {
      const isLast = channel > 0 && channel === count - 1
      const progress = (part: number) =>
        this.#events.onProgress((channel + part) / Math.max(count, channel + 1))
      const result = await this.#transcribe(channel, isLast, count > 1 || channel > 0 ? progress : () => {})
      results.push(result)
      // The first channel tells how many there are.
      count = result.channels
    }
    this.#events.onSegments(this.#held)
    return joined(results)
  }

  cancel(): void {
    this.#cancelled = true
    this.#task?.cancel()
  }

  async #transcribe(
    channel: number,
    isLast: boolean,
    onProgress: (progress: number) => void,
  ): Promise<NativeResult> {
    const found: NativeSegment[] = []
    this.#task = this.#start(
      { ...this.#source, channel },
      {
        onProgress,
        onSegments: (segments) => {
          const own = segments.map((segment) => ({ ...segment, channel }))
          if (isLast) for (const segment of own) this.#release(segment)
          else found.push(...own)
        },
      },
    )
    if (this.#cancelled) this.#task.cancel()
    const result = await this.#task.result
    this.#held = [...this.#held, ...found].sort((a, b) => a.start - b.start)
    return result
  }

  /** Hands on a segment of the last channel, and first what comes before it. */
  #release(segment: NativeSegment): void {
    const later = this.#held.findIndex(({ start }) => start > segment.start)
    const before = this.#held.splice(0, later < 0 ? this.#held.length : later)
    this.#events.onSegments([...before, segment])
  }
}

/** One result: the language is that of the channel in which it was surest, figures are sums. */
function joined(results: readonly NativeResult[]): NativeResult {
  const [first] = results as [NativeResult]
  const surest = results.reduce((best, result) =>
    result.languageProbability > best.languageProbability ? result : best,
  )
  const sum = (figure: (result: NativeResult) => number) =>
    results.reduce((total, result) => total + figure(result), 0)
  return {
    ...first,
    language: surest.language,
    languageProbability: surest.languageProbability,
    duration: Math.max(...results.map(({ duration }) => duration)),
    gpuNodes: sum(({ gpuNodes }) => gpuNodes),
    cpuNodes: sum(({ cpuNodes }) => cpuNodes),
    cpuOperations: [...new Set(results.flatMap(({ cpuOperations }) => cpuOperations))],
    wallSeconds: sum(({ wallSeconds }) => wallSeconds),
    phases: {
      decode: sum(({ phases }) => phases.decode),
      mel: sum(({ phases }) => phases.mel),
      vad: sum(({ phases }) => phases.vad),
      encode: sum(({ phases }) => phases.encode),
      prompt: sum(({ phases }) => phases.prompt),
      sample: sum(({ phases }) => phases.sample),
    },
    warnings: joinWarnings(...results.map(({ warnings }) => warnings)),
  }
}
