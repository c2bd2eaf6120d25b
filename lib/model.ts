import { AbortController, anySignal } from './abort.ts'
import { runOnAudio } from './audio/run.ts'
import { prepareAudio } from './audio/sources.ts'
import { captureCaller, toLibraryError } from './backend/native-error.ts'
import { checkInteger, checkOptions, checkSignal, checkString } from './check.ts'
import { WhisperHipError } from './errors.ts'
import { finishTask } from './finish-task.ts'
import type { LoadedModel, ModelSetup } from './model/loaded-model.ts'
import { TextTokenizer } from './model/text-tokenizer.ts'
import type { DetectedLanguage, ModelBackend, ModelInfo } from './model/types.ts'
import type { NativeModel } from './native.ts'
import type { LiveStream } from './stream/live-stream.ts'
import { parseStreamOptions } from './stream/options.ts'
import { StreamSet } from './stream/stream-set.ts'
import type { StreamOptions } from './stream/types.ts'
import type { ModelFacts } from './transcribe/options.ts'
import { startTranscription } from './transcribe/run.ts'
import { Scheduler } from './transcribe/scheduler.ts'
import type { AudioInput, TranscribeOptions, Transcription } from './transcribe/types.ts'
import { networkPath } from './vad/network.ts'
import { joinWarnings } from './warnings.ts'

/**
 * A loaded model. It holds native memory until you call {@link dispose}; `await using model = await loadModel(…)` does so at the end of the
 * block.
 *
 * You can start several transcriptions at once. As many run side by side as `concurrency` of {@link LoadOptions} allows; the others wait in
 * order.
 */
export class Model implements AsyncDisposable {
  readonly info: Readonly<ModelInfo>
  /** What this model actually runs on, read from its own buffers and device. */
  readonly backend: Readonly<ModelBackend>
  readonly #native: NativeModel
  readonly #setup: ModelSetup
  readonly #tokenizer: TextTokenizer
  readonly #scheduler: Scheduler
  readonly #streams: StreamSet
  readonly #closing = new AbortController()
  #disposed: Promise<void> | undefined

  /** @internal use {@link loadModel} */
  constructor({ native, info, backend, setup }: LoadedModel) {
    this.info = Object.freeze(info)
    this.backend = Object.freeze(backend)
    this.#native = native
    this.#setup = setup
    this.#tokenizer = new TextTokenizer(setup.vocabulary)
    this.#scheduler = new Scheduler(setup.concurrency)
    this.#streams = new StreamSet(
      { model: native, stores: setup.stores, tokenize: this.#tokenize },
      setup.maxStreams,
    )
  }

  /**
   * Transcribes audio. Starts at once, or as soon as `concurrency` allows.
   *
   * @returns a promise of the result that is also an async iterable of segments. It rejects with `ERR_INVALID_ARGUMENT`,
   *   `ERR_AUDIO_DECODE`, `ERR_AUDIO_UNSUPPORTED`, `ERR_OUT_OF_MEMORY`, `ERR_DISPOSED`, `ERR_MODEL_CORRUPT` (weights that are not numbers),
   *   or `signal.reason`
   */
  transcribe(audio: AudioInput, options: TranscribeOptions = {}): Transcription {
    return startTranscription(
      {
        addon: this.#setup.stores,
        model: this.#native,
        facts: this.#facts,
        scheduler: this.#scheduler,
        disposal: this.#closing.signal,
      },
      audio,
      options,
    )
  }

  /**
   * Transcribes live audio: write or pipe PCM into the returned stream, and read events from it. One model serves many streams in turn:
   * finals first, then whatever has waited longest.
   *
   * @throws {@link WhisperHipError} `ERR_INVALID_ARGUMENT`, `ERR_DISPOSED`, `ERR_NATIVE_MISSING`; `ERR_TOO_MANY_STREAMS` if
   *   {@link LoadOptions.maxStreams} streams are already open
   */
  stream(options: StreamOptions = {}): LiveStream {
    const caller = captureCaller(this.stream)
    try {
      this.#closing.signal.throwIfAborted()
      return this.#streams.open(parseStreamOptions(options, this.#facts), caller)
    } catch (error) {
      throw toLibraryError(error, caller)
    }
  }

  /**
   * Detects the language of the first speech within the first 5 minutes, from 30 seconds of it, or from more if those leave it improbable.
   *
   * @param options `threads` as for {@link transcribe}; `signal` aborts with its reason
   * @throws {@link WhisperHipError} as {@link transcribe}; `ERR_INVALID_ARGUMENT` for less than 100 ms of audio
   */
  async detectLanguage(
    audio: AudioInput,
    options: { threads?: number; signal?: AbortSignal } = {},
  ): Promise<DetectedLanguage> {
    const caller = captureCaller(this.detectLanguage)
    try {
      const given = checkOptions(options, ['threads', 'signal'], 'detectLanguage()')
      const { maxThreads } = this.#setup
      const threads = checkInteger(given.threads ?? maxThreads, 'threads', 1, maxThreads)
      const signal = given.signal === undefined ? undefined : checkSignal(given.signal, 'signal')
      return await this.#detect(audio, threads, anySignal(this.#closing.signal, signal))
    } catch (error) {
      throw toLibraryError(error, caller)
    }
  }

  /**
   * Encodes text into tokens of this model's vocabulary with byte pair encoding, like OpenAI's tokenizer. A prompt may have 223 of them.
   * Special tokens such as `<|endoftext|>` are treated as ordinary text.
   *
   * @param text up to 1,000,000 characters
   * @returns the numbers of the tokens, as in {@link Token.id}
   * @throws {@link WhisperHipError} `ERR_INVALID_ARGUMENT`
   */
  tokenize(text: string): number[] {
    try {
      return this.#tokenize(checkString(text, 'text'))
    } catch (error) {
      throw toLibraryError(error, captureCaller(this.tokenize))
    }
  }

  readonly #tokenize = (text: string): number[] => this.#tokenizer.encode(text)

  get #facts(): ModelFacts {
    return { ...this.info, ...this.#setup, tokenize: this.#tokenize }
  }

  async #detect(audio: AudioInput, threads: number, signal: AbortSignal): Promise<DetectedLanguage> {
    signal.throwIfAborted()
    const prepared = await prepareAudio(audio, this.#setup.stores, signal)
    let used = prepared
    const task = await this.#scheduler.start(
      () =>
        runOnAudio(
          prepared,
          (source) => this.#native.detectLanguage(source, threads, networkPath()),
          (converted) => {
            used = converted
          },
        ),
      signal,
    )
    const found = await finishTask(task, signal)
    return { ...found, warnings: joinWarnings(used.warnings, found.warnings) }
  }

  /**
   * Stops everything that runs on this model (its transcriptions reject with `ERR_DISPOSED`) and frees its memory. Resolves once the memory
   * is free; a second call returns the same promise.
   */
  dispose(): Promise<void> {
    if (this.#disposed === undefined) {
      const error = new WhisperHipError('ERR_DISPOSED', `The model ${this.info.name} has been disposed`)
      this.#closing.abort(error)
      this.#streams.abandon(error)
      this.#disposed = this.#free(captureCaller(this.dispose))
    }
    return this.#disposed
  }

  async #free(caller: { stack?: string }): Promise<void> {
    try {
      await this.#native.dispose()
    } catch (error) {
      throw toLibraryError(error, caller)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}
