import type { Warning } from './warnings.ts'

/** All computations of one operation with the same shapes. */
export interface OperationTime {
  name: string
  count: number
  seconds: number
  /** Additions and multiplications of products. */
  operations: number
  /** Read and written at least. */
  bytes: number
}

/**
 * The typed mirror of binding/addon.cpp, line for line. Nothing here has logic.
 *
 * Native failures reject with an `Error` that has a `code` of {@link ErrorCode}; a cancelled task rejects with
 * `code: 'ERR_CANCELLED'`, which never leaves this library.
 */
export interface NativeAddon {
  /** Constants of this binary. */
  readonly build: { whisperCpp: string; ggml: string; compiler: string; napi: number }
  /**
   * Loads the backend modules, once per process: the first call decides, later calls get the same answer.
   * @param cpuModules absolute paths of the CPU modules; the one with the best score for this CPU is used.
   */
  loadBackends(cpuModules: string[]): Promise<NativeBackends>
  /**
   * Loads a HIP module by absolute path, once per process: later calls get the same answer, and reject when they ask for another
   * module or GPU. Rejects with what the loader or HIP says.
   * @param gpu PCI address of the GPU that the variables leave, or an empty text
   */
  loadHip(path: string, gpu: string): Promise<NativeHip>
  /** The HIP module of this process, the GPU that it was loaded for, and the failure after which the GPU is not used. */
  hipState(): { path: string | null; gpu: string | null; failure: string | null }
  /**
   * Sets variables of the process, or unsets them (null), and returns them as they were. `process.env` of a worker is a copy that
   * nothing native reads.
   */
  setVariables(variables: Record<string, string | null>): Record<string, string | null>
  /** Memory of a GPU now, in bytes. @param device place in {@link NativeHip.devices} */
  gpuMemory(device: number): Promise<{ free: number; total: number }>
  /**
   * Tries a GPU, in a child process made for it: blocks, may hang or die. Writes a line of JSON before and after each stage.
   * @param pciId the device to try; the first one when it is empty or not found
   * @param descriptor the open file to write to
   */
  probe(cpuModules: string[], hipModule: string, pciId: string, descriptor: number): void
  /** Names of the stages of a trial in which an operation is computed: the signatures of the graph nodes that it holds. */
  trialOperations(): string[]
  /**
   * For tests: takes down the signatures of the nodes of all graphs that the process computes, from when it is switched on until it is
   * switched off.
   * @returns those since it was last switched on
   */
  recordOperations(on: boolean): string[]
  /** How long the operations on the CPU took since this was last switched on, for `bench/profile.mjs`. Computes node by node while it is on. */
  timeOperations(on: boolean): OperationTime[]
  /** Receives the log lines of this environment's own loads and jobs (level: 1 debug, 2 info, 3 warn, 4 error). */
  setLogSink(sink: ((level: number, text: string) => void) | null): void
  ByteStore: new () => NativeByteStore
  /** Executes a plan on a thread of its own. `onProgress` gets 0..1 at most 100 times. */
  loadModel(
    plan: NativeLoadPlan,
    options: NativeLoadOptions,
    onProgress: (progress: number) => void,
  ): NativeTask<NativeModel>
  /** Finds the speech in audio, on a thread of its own. */
  detectSpeech(audio: NativeAudioSource, options: NativeSpeechOptions): NativeTask<NativeSpeech>
  LiveAudio: new (options: NativeLiveAudioOptions) => NativeLiveAudio
  /**
   * Writes each tensor of a plan, in its type in memory, to its offset in an open file, or with `compare` rejects with
   * `ERR_MODEL_CORRUPT` where the file has something else. The descriptor must stay open until the task has ended.
   */
  writeTensors(
    plan: NativeLoadPlan,
    descriptor: number,
    offsets: Float64Array,
    compare: boolean,
    onProgress: (progress: number) => void,
  ): NativeTask<void>
  /** Live native objects of the process, for leak tests. */
  counters(): { models: number; tasks: number; byteStores: number }
}

export interface NativeBackends {
  /** Absolute path of the CPU module in use, and why others were not loadable. */
  cpu: { path: string; name: string; failures: { path: string; error: string }[] }
  /** Threads of the compute pool that all models and jobs of the process share. */
  computeThreads: number
}

export interface NativeHip {
  path: string
  /** In the order of ggml's GPU ordinals. */
  devices: NativeHipDevice[]
}

/** A GPU as HIP shows it. */
export interface NativeHipDevice {
  /** ggml's name, e.g. `ROCm0`. */
  name: string
  description: string
  /** e.g. `0000:03:00.0`; empty when unknown. */
  pciId: string
  /** Bytes. */
  memoryFree: number
  memoryTotal: number
}

/** Bytes in native memory, filled chunk by chunk from JS (each call copies). */
export interface NativeByteStore {
  /**
   * Appends a copy of the view's bytes.
   * @returns -1, or with `finite` the index of the first NaN or infinity of a Float32Array (then nothing is appended)
   */
  append(view: Uint8Array | Int16Array | Float32Array, finite: boolean): number
  readonly byteLength: number
  /** A copy of up to `length` bytes from `offset` on. */
  read(offset: number, length: number): Uint8Array
}

export interface NativeTask<T> {
  readonly result: Promise<T>
  cancel(): void
}

/** Where a tensor part lies: an index into `sources`. */
export interface NativeTensorPart {
  source: number
  /** Byte offset in the source. */
  offset: number
  /** ggml_type of the stored data; also 24 (int8) and 25 (int16). */
  type: number
  rows: number
  /** f32 values that stored integers are divided by, each for the same number of rows. */
  scale?: { source: number; offset: number; count: number }
  /** In elements, one for each dimension, when the values are stored in another order. */
  strides?: number[]
  /** Values in a stored row, when that is not shape[0]: only of a type with blocks. */
  columns?: number
}

export interface NativePlanTensor {
  /** Name in whisper.cpp's legacy convention, e.g. `encoder.blocks.0.attn.query.weight`. */
  name: string
  /** ggml order, fastest dimension first. */
  shape: number[]
  /** ggml_type in memory. */
  type: number
  /** Stacked along the rows (rows = elements / shape[0]). */
  parts: NativeTensorPart[]
}

export interface NativeLoadPlan {
  /** n_vocab, n_audio_ctx, n_audio_state, n_audio_head, n_audio_layer, n_text_ctx, n_text_state, n_text_head, n_text_layer, n_mels, ftype. */
  hyperparameters: Int32Array
  /** [n_mels, 201], row-major. */
  melFilters: Float32Array
  /** Raw bytes of the base tokens, one after the other, and their lengths. */
  vocabularyBytes: Uint8Array
  vocabularyLengths: Uint32Array
  tensors: NativePlanTensor[]
  /** File descriptors (duplicated by the addon) or byte stores. */
  sources: (number | NativeByteStore)[]
}

export interface NativeLoadOptions {
  /** 'hip' needs {@link NativeAddon.loadHip} to have been called. */
  backend: 'hip' | 'cpu'
  /** Place in {@link NativeHip.devices}. */
  device: number
  /** Whether a run on the GPU may compute what the GPU does not support on the CPU. */
  allowPartial: boolean
  flashAttention: boolean
  /** Pairs of layer and head of the decoder, one after the other, whose attention follows the audio; absent or empty for those of a model of this size. */
  alignmentHeads?: number[]
}

export interface NativeModel {
  /** Where the weights lie: bytes by buffer name. */
  readonly weightBytes: Record<string, number>
  /** Name of the device that computes. */
  readonly device: string
  transcribe(
    audio: NativeAudioSource,
    options: NativeTranscribeOptions,
    events: NativeEvents,
  ): NativeTask<NativeResult>
  /** Guesses at no more than 30 s of audio. */
  hypothesize(audio: NativeAudioSource, options: NativeHypothesisOptions): NativeTask<NativeHypothesis>
  /** @param network absolute path of Silero's ONNX file */
  detectLanguage(audio: NativeAudioSource, threads: number, network: string): NativeTask<NativeDetection>
  /** Waits for running jobs to end (cancel them first), then frees the weights. */
  dispose(): Promise<void>
}

export type NativeAudioSource = (
  | { kind: 'file'; path: string }
  | { kind: 'bytes'; store: NativeByteStore }
  | {
      kind: 'pcm'
      store: NativeByteStore
      format: 'f32' | 's16'
      sampleRate: number
      channels: number
      /** Silence between the frames of the store: flat triples of frames before it, its own, and those after it that it stands for. */
      gaps?: number[]
      /** Whether the samples are needed again: else they are freed as they are used. */
      keep?: boolean
    }
) & {
  /** Number of the channel to hear; absent for the mean of all. */
  channel?: number
}

export interface NativeTranscribeOptions {
  /** ISO code, or '' to detect. */
  language: string
  /** ISO codes of those that it may be when it is detected; empty for all. */
  languages: string[]
  /** Absolute path of Silero's ONNX file: a language is detected where somebody speaks. */
  network: string
  translate: boolean
  /** 1 = greedy. */
  beamSize: number
  /** Finished candidates that end the search, as a multiple of {@link beamSize}: the product, rounded, is at least 1. */
  patience: number
  bestOf: number
  temperatures: number[]
  /** Of sampling at temperatures above 0: 0 to 2^53 - 1, exact as a double. */
  seed: number
  /** NaN = mean log probability. */
  lengthPenalty: number
  /** 0.1 to 10; 1 = off. */
  repetitionPenalty: number
  /** Length of the phrases of tokens that are written once in a window, 1 to 32; 0 = off. */
  noRepeatNgramSize: number
  /** Tokens that are put before every window. */
  hotwords: number[]
  /** Tokens; with the hotwords no more than half of the text context. */
  initialPrompt: number[]
  /** Tokens that the text of the first window begins with and that are not part of the result: at most 111. */
  prefix: number[]
  carryInitialPrompt: boolean
  conditionOnPreviousText: boolean
  suppressBlank: boolean
  suppressNonSpeech: boolean
  suppressTokens: number[]
  suppressRegex: string
  grammar: string
  grammarRule: string
  grammarPenalty: number
  /** 0 = no limit. */
  maxTokens: number
  timestamps: boolean
  /** Find the times of words. */
  words: boolean
  /** [start, end] pairs in seconds; end = Infinity for the end of the audio. */
  clips: number[]
  /** Transcribe only the speech in the clips. */
  vad: NativeSpeechOptions | null
  noSpeechThreshold: number
  logProbThreshold: number
  /** Infinity = off. */
  compressionRatioThreshold: number
  /** Seconds; Infinity = off. Otherwise {@link words} is set. */
  hallucinationSilenceThreshold: number
  /** Windows decoded side by side, 1 to 64; 0 = as many as are good, 1 where a window needs the one before. */
  batchSize: number
  /** Tell who speaks from the energies of the first two channels of audio whose channels are mixed. */
  diarize: boolean
  threads: number
}

export interface NativeHypothesisOptions {
  /** ISO code, or '' to detect. */
  language: string
  /** ISO codes of those that it may be when it is detected; empty for all. */
  languages: string[]
  translate: boolean
  /** Tokens of what is said to come before the audio; its beginning is dropped where it is too long. */
  prompt: number[]
  /** Tokens that the text begins with. */
  prefix: number[]
  /** 1 = greedy. */
  beamSize: number
  /** Positions of 20 ms to encode, a multiple of 256; 0 for all of 30 s. */
  audioContext: number
  suppressBlank: boolean
  suppressNonSpeech: boolean
  suppressTokens: number[]
  /** Most tokens after the prefix. */
  maxTokens: number
  threads: number
}

export interface NativeHypothesis {
  language: string
  /** 1 when it was given. */
  languageProbability: number
  /** What follows the prefix; times from the start of the audio. */
  words: NativeWord[]
  /** Whether the first word is the rest of the last one of the prefix. */
  continues: boolean
  averageLogProbability: number
  noSpeechProbability: number
  /** Of the whole text. */
  compressionRatio: number
  /** Whether it was ended because it had come into a loop. */
  repeats: boolean
  gpuNodes: number
  cpuNodes: number
  wallSeconds: number
}

export interface NativeLiveAudioOptions {
  format: 's16le' | 'f32le'
  sampleRate: number
  channels: number
  /** Absolute path of Silero's ONNX file, '' for no voice activity. */
  network: string
}

export interface NativeLiveAudio {
  /**
   * Takes the next bytes, split anywhere.
   * @throws `ERR_INVALID_ARGUMENT` naming the index of a sample that is none
   */
  push(bytes: Uint8Array): NativeHeard
  /** No bytes follow. */
  finish(): NativeHeard
}

export interface NativeHeard {
  /** 16 kHz mono. */
  samples: Float32Array
  /** Of speech, for each frame of 512 samples that is complete with these. */
  probabilities: Float32Array
  /** About the channels: all so far. */
  warnings: Warning[]
}

/** Options of the public SpeechOptions, all set. */
export interface NativeSpeechOptions {
  /** Absolute path of Silero's ONNX file, which is read once per process. */
  network: string
  threshold: number
  negThreshold: number
  minSpeechDurationMs: number
  /** Infinity = no limit. */
  maxSpeechDurationS: number
  minSilenceDurationMs: number
  speechPadMs: number
}

export interface NativeSpeech {
  /** Seconds. */
  duration: number
  segments: { start: number; end: number }[]
  /** One for each frame of 32 ms. */
  probabilities: Float32Array
  /** Of the audio. */
  warnings: Warning[]
}

export interface NativeEvents {
  onSegments(segments: NativeSegment[]): void
  /** 0..1 of the audio. */
  onProgress(progress: number): void
}

export interface NativeSegment {
  start: number
  end: number
  text: string
  temperature: number
  averageLogProbability: number
  compressionRatio: number
  noSpeechProbability: number
  language: string
  tokens: { id: number; text: string; probability: number }[]
  /** When they were asked for. */
  words?: NativeWord[]
  /** Where channels are transcribed one by one. */
  channel?: number
  /** With `diarize`: 0 = the first channel, 1 = the second, -1 = unclear. */
  speaker?: number
}

export interface NativeWord {
  text: string
  /** Seconds. */
  start: number
  end: number
  probability: number
  tokens: number[]
  /** As of a segment. */
  speaker?: number
}

export interface NativeResult {
  language: string
  languageProbability: number
  /** Seconds. */
  duration: number
  /** Of the audio. */
  channels: number
  /** Whether the device that computed is a GPU. */
  onGpu: boolean
  gpuNodes: number
  cpuNodes: number
  cpuOperations: string[]
  wallSeconds: number
  phases: { decode: number; mel: number; vad: number; encode: number; prompt: number; sample: number }
  /** At most 200. */
  warnings: Warning[]
}

export interface NativeDetection {
  language: string
  probability: number
  all: Record<string, number>
  /** Of the audio. */
  warnings: Warning[]
}
