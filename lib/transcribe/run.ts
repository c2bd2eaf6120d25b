import { runOnAudio } from '../audio/run.ts'
import { isStreamed, type PreparedAudio, prepareAudio, watchMemory } from '../audio/sources.ts'
import { warnOfPartialRun } from '../backend/policy.ts'
import type {
  NativeAddon,
  NativeAudioSource,
  NativeEvents,
  NativeModel,
  NativeResult,
  NativeSegment,
} from '../native.ts'
import { joinWarnings } from '../warnings.ts'
import { transcribeChannels } from './channels.ts'
import { type ModelFacts, type ParsedTranscribeOptions, parseTranscribeOptions } from './options.ts'
import type { Scheduler } from './scheduler.ts'
import { monoWarning, withSpeaker } from './speakers.ts'
import { splitSegment } from './split-segments.ts'
import { type Job, type JobEvents, TranscriptionJob } from './transcription.ts'
import type { AudioInput, RunStats, Segment, Transcription, TranscriptionResult } from './types.ts'

/** What a transcription needs of the model that runs it. */
export interface Runner {
  addon: Pick<NativeAddon, 'ByteStore'>
  model: Pick<NativeModel, 'device' | 'transcribe'>
  facts: ModelFacts
  scheduler: Scheduler
  /** Aborts with the reason when the model is disposed. */
  disposal: AbortSignal
}

/**
 * Transcribes audio on a model.
 *
 * Never throws: options that are wrong reject the transcription with `ERR_INVALID_ARGUMENT`, as all that comes later does.
 */
export function startTranscription(runner: Runner, audio: AudioInput, options: unknown): Transcription {
  let parsed: ParsedTranscribeOptions
  try {
    parsed = parseTranscribeOptions(options, runner.facts)
  } catch (error) {
    return new TranscriptionJob({ start: () => Promise.reject(error) })
  }
  const { signal, onProgress, onSegment } = parsed
  const checkMemory = watchMemory(audio)
  return new TranscriptionJob({
    signals: signal === undefined ? [runner.disposal] : [runner.disposal, signal],
    onProgress,
    onSegment,
    start: (events, aborted) => beginJob(runner, audio, parsed, events, aborted, checkMemory),
  })
}

/** Prepares the audio, waits for a place in the queue, and runs the job. */
async function beginJob(
  { addon, model, scheduler }: Runner,
  audio: AudioInput,
  { native, maxSegmentLength, warnings, choice }: ParsedTranscribeOptions,
  events: JobEvents,
  signal: AbortSignal,
  checkMemory = watchMemory(audio),
): Promise<Job> {
  const collector = new SegmentCollector(maxSegmentLength, events)
  const prepare = () => {
    checkMemory()
    return prepareAudio(audio, addon, signal, choice)
  }
  // What comes at its own pace is read before the job takes a place; what takes memory or a program waits until it has one.
  let used: PreparedAudio | undefined
  const start = (source: NativeAudioSource) =>
    choice.channel === 'split'
      ? transcribeChannels(
          source,
          (channel, follower) => model.transcribe(channel, native, follower),
          collector,
        )
      : model.transcribe(
          choice.channel === 'mix' ? source : { ...source, channel: choice.channel },
          native,
          collector,
        )
  let prepared = isStreamed(audio) ? await prepare() : undefined
  const task = await scheduler.start(async () => {
    prepared ??= await prepare()
    used = prepared
    return runOnAudio(prepared, start, (converted) => {
      used = converted
    })
  }, signal)
  return {
    result: task.result.then((result) => {
      if (result.onGpu && result.cpuNodes > 0) warnOfPartialRun(result.cpuOperations)
      return {
        ...collector.collected(),
        language: result.language,
        languageProbability: result.languageProbability,
        duration: result.duration,
        warnings: joinWarnings(
          warnings,
          used?.warnings,
          result.warnings,
          native.diarize && result.channels < 2 ? [monoWarning] : [],
        ),
        stats: statsOf(result, model.device, used?.decodeSeconds ?? 0),
      }
    }),
    cancel: () => task.cancel(),
  }
}

function statsOf(result: NativeResult, device: string, decodeSeconds: number): RunStats {
  const { duration, onGpu, gpuNodes, cpuNodes, cpuOperations, phases } = result
  const wallSeconds = result.wallSeconds + decodeSeconds
  return {
    backend: onGpu ? 'hip' : 'cpu',
    device,
    gpuNodes,
    cpuNodes,
    cpuOperations,
    audioSeconds: duration,
    wallSeconds,
    realTimeFactor: wallSeconds > 0 ? duration / wallSeconds : 0,
    phases: { ...phases, decode: phases.decode + decodeSeconds },
  }
}

/** Numbers the segments as they come, and joins their texts. */
class SegmentCollector implements NativeEvents {
  readonly #maxLength: number
  readonly #events: JobEvents
  readonly #segments: Segment[] = []

  constructor(maxLength: number | undefined, events: JobEvents) {
    this.#maxLength = maxLength ?? Number.POSITIVE_INFINITY
    this.#events = events
  }

  readonly onProgress = (progress: number): void => this.#events.onProgress(progress)

  readonly onSegments = (arrived: readonly NativeSegment[]): void => {
    const first = this.#segments.length
    for (const segment of arrived.flatMap((whole) => splitSegment(whole, this.#maxLength))) {
      const { words, ...figures } = segment
      this.#segments.push({
        id: this.#segments.length,
        ...withSpeaker(figures),
        ...(words !== undefined && { words: words.map(({ tokens: _, ...word }) => withSpeaker(word)) }),
      })
    }
    this.#events.onSegments(this.#segments.slice(first))
  }

  collected(): Pick<TranscriptionResult, 'text' | 'segments'> {
    const texts = this.#segments.map(({ text }) => text)
    return { text: texts.join('').trim(), segments: this.#segments }
  }
}
