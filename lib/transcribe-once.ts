import { toNodeSignal } from './abort.ts'
import { watchMemory } from './audio/sources.ts'
import { checkOptions, checkSignal } from './check.ts'
import { loadModel } from './load-model.ts'
import { loadOptionNames } from './model/load-options.ts'
import type { LoadOptions, LoadProgress, ModelInput } from './model/types.ts'
import { transcribeOptionNames } from './transcribe/options.ts'
import { type Job, type JobEvents, TranscriptionJob } from './transcribe/transcription.ts'
import type { AudioInput, TranscribeOptions, Transcription } from './transcribe/types.ts'

/** Options of {@link transcribe}: those of a transcription, and the model to load. */
export interface OneCallOptions
  extends TranscribeOptions,
    Pick<
      LoadOptions,
      'backend' | 'device' | 'flashAttention' | 'isolation' | 'nodePath' | 'offline' | 'sha256'
    > {
  /** A catalogue name, a path, a repository on the Hugging Face hub, a URL, or the bytes of a model file. */
  model: ModelInput
  /** Called with the progress of downloading and loading the model. */
  onLoadProgress?: (progress: LoadProgress) => void
}

const oneCallLoadOptions = loadOptionNames.filter(
  (name) => name !== 'onProgress' && name !== 'signal' && name !== 'concurrency',
)

/**
 * Loads a model, transcribes one recording, and frees the model. For more than one recording, call {@link loadModel} once and use the
 * model's `transcribe()`.
 *
 * @returns a promise of the result that is also an async iterable of segments; rejects as {@link loadModel} and {@link Model.transcribe} do
 */
export function transcribe(audio: AudioInput, options: OneCallOptions): Transcription {
  const checkMemory = watchMemory(audio)
  return new TranscriptionJob({
    start: (events, signal) => start(audio, options, events, signal, checkMemory),
    ...callbacks(options),
  })
}

/** The options that act before the others are checked. Wrong ones are reported by {@link start}, as all others are. */
function callbacks(options: unknown): Pick<ConstructorParameters<typeof TranscriptionJob>[0], 'signals'> {
  const signal = (options as { signal?: Partial<AbortSignal> } | undefined)?.signal
  return typeof signal?.addEventListener === 'function'
    ? { signals: [toNodeSignal(signal as AbortSignal)] }
    : {}
}

async function start(
  audio: AudioInput,
  options: unknown,
  events: JobEvents,
  signal: AbortSignal,
  checkMemory: () => void,
): Promise<Job> {
  const {
    model: input,
    onLoadProgress,
    onProgress,
    onSegment,
    ...rest
  } = checkOptions(
    options,
    ['model', 'onLoadProgress', ...oneCallLoadOptions, ...transcribeOptionNames],
    'transcribe()',
  )
  if (rest.signal !== undefined) checkSignal(rest.signal, 'signal')
  const load: Record<string, unknown> = { onProgress: onLoadProgress, signal, concurrency: 1 }
  const follow = (progress: number) => {
    events.onProgress(progress)
    return typeof onProgress === 'function' ? onProgress(progress) : undefined
  }
  // What is no function is passed on, to be refused with the other options.
  const wrong = onProgress !== undefined && typeof onProgress !== 'function'
  const run: Record<string, unknown> = { onProgress: wrong ? onProgress : follow, onSegment, signal }
  for (const [name, value] of Object.entries(rest)) {
    if (name === 'signal') continue
    const target = (oneCallLoadOptions as string[]).includes(name) ? load : run
    target[name] = value
  }
  const model = await loadModel(input as ModelInput, load)
  try {
    checkMemory()
  } catch (error) {
    await model.dispose()
    throw error
  }
  const transcription = model.transcribe(audio, run)
  return {
    result: finish(transcription, events, model),
    cancel: () => transcription.cancel(signal.reason),
  }
}

async function finish(transcription: Transcription, events: JobEvents, model: AsyncDisposable) {
  try {
    for await (const segment of transcription) events.onSegments([segment])
    return await transcription
  } finally {
    await model[Symbol.asyncDispose]()
  }
}
