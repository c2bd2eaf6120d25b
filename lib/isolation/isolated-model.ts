import type {
  NativeAudioSource,
  NativeDetection,
  NativeEvents,
  NativeHypothesis,
  NativeHypothesisOptions,
  NativeModel,
  NativeResult,
  NativeTask,
  NativeTranscribeOptions,
} from '../native.ts'
import { MemoryStore, type SentBytes } from './memory-store.ts'
import type { LoadedInProcess, SentAudio } from './protocol.ts'
import type { Supervisor } from './supervisor.ts'

/** Ends the process of a model that was forgotten without dispose. */
const forgotten = new FinalizationRegistry<Supervisor>((supervisor) => {
  void supervisor.dispose()
})

/** A model in another process, with the face of one in this. */
export class IsolatedModel implements NativeModel {
  readonly device: string
  readonly weightBytes: Record<string, number>
  readonly #supervisor: Supervisor

  constructor(supervisor: Supervisor, { device, weightBytes }: LoadedInProcess) {
    this.#supervisor = supervisor
    this.device = device
    this.weightBytes = weightBytes
    forgotten.register(this, supervisor, this)
  }

  transcribe(
    source: NativeAudioSource,
    options: NativeTranscribeOptions,
    events: NativeEvents,
  ): NativeTask<NativeResult> {
    const { audio, store } = split(source)
    return this.#supervisor.run({ type: 'transcribe', audio, options }, events, store)
  }

  hypothesize(source: NativeAudioSource, options: NativeHypothesisOptions): NativeTask<NativeHypothesis> {
    const { audio, store } = split(source)
    return this.#supervisor.run({ type: 'hypothesize', audio, options }, {}, store)
  }

  detectLanguage(source: NativeAudioSource, threads: number, network: string): NativeTask<NativeDetection> {
    const { audio, store } = split(source)
    return this.#supervisor.run({ type: 'detectLanguage', audio, threads, network }, {}, store)
  }

  dispose(): Promise<void> {
    forgotten.unregister(this)
    return this.#supervisor.dispose()
  }
}

/** Tells the bytes from what is said about them. */
function split(source: NativeAudioSource): { audio: SentAudio; store: SentBytes | undefined } {
  if (source.kind === 'file') return { audio: source, store: undefined }
  const { store, ...audio } = source
  if (!(store instanceof MemoryStore))
    throw new TypeError('An isolated model takes bytes of this process only')
  // The bytes of a file may be needed again, when the decoder there cannot read them.
  const keep = source.kind === 'bytes' || source.keep === true
  return { audio, store: { take: () => store.take(keep) } }
}
