// What the types promise to an ES module. A line after `@ts-expect-error` must be an error.
import {
  type AudioInput,
  assertGpu,
  type BackendInfo,
  type BackendReason,
  backendInfo,
  type DetectedLanguage,
  downloadModel,
  type ErrorCode,
  formatTranscription,
  type ListedModel,
  type LoadOptions,
  type listModels,
  loadModel,
  type Model,
  type ModelFormat,
  type OutputFormat,
  type Segment,
  setLogger,
  type TranscribeOptions,
  type Transcription,
  type TranscriptionResult,
  transcribe,
  WhisperHipError,
} from 'whisper-hip'

/** `true` only for equal types; `any` equals nothing else. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function is<_T extends true>(): void {}

// One call.
const transcription = transcribe('speech.wav', { model: 'base' })
is<Equal<typeof transcription, Transcription>>()
is<Equal<Awaited<typeof transcription>, TranscriptionResult>>()
const thenable: PromiseLike<TranscriptionResult> = transcription
const iterable: AsyncIterable<Segment> = transcription
const promise: Promise<TranscriptionResult> = transcription
for await (const segment of transcription) {
  is<Equal<typeof segment, Segment>>()
  is<Equal<typeof segment.start, number>>()
  is<Equal<typeof segment.speaker, 'left' | 'right' | undefined>>()
  is<Equal<(typeof segment.tokens)[number]['probability'], number>>()
}
transcription.cancel()
transcription.cancel(new Error('enough'))
is<Equal<typeof transcription.progress, number>>()
// @ts-expect-error progress is read-only
transcription.progress = 1
const { text, stats } = await transcription
is<Equal<typeof text, string>>()
is<Equal<typeof stats.backend, 'hip' | 'cpu'>>()
is<Equal<typeof stats.phases.encode, number>>()
// @ts-expect-error a result has no such figure
stats.speed

// Options.
const options: TranscribeOptions = {
  language: 'German',
  task: 'translate',
  temperature: [0, 0.5] as const,
  suppressRegex: /[0-9]/,
  clips: [[0, 5], { start: 7 }],
  compressionRatioThreshold: null,
  vad: false,
  signal: AbortSignal.timeout(1000),
  onSegment: (segment) => is<Equal<typeof segment, Segment>>(),
  onProgress: (progress) => is<Equal<typeof progress, number>>(),
}
transcribe('speech.wav', { ...options, model: new Uint8Array(), offline: true, backend: 'cpu' })
// @ts-expect-error the model is required
transcribe('speech.wav', {})
// @ts-expect-error a misspelt option
transcribe('speech.wav', { model: 'base', beamsize: 5 })
// @ts-expect-error a wrong type
transcribe('speech.wav', { model: 'base', beamSize: '5' })
transcribe('speech.wav', { model: 'base', vad: true })
transcribe('speech.wav', { model: 'base', vad: { threshold: 0.4, minSilenceDurationMs: 500 } })
// @ts-expect-error a misspelt option
transcribe('speech.wav', { model: 'base', vad: { treshold: 0.4 } })
transcribe('speech.wav', { model: 'base', timestamps: 'word', hotwords: 'Kennedy' })
transcribe('speech.wav', {
  model: 'base',
  batchSize: 8,
  prefix: 'And',
  seed: 7,
  diarize: 'stereo',
  patience: 2,
})
transcribe('speech.wav', {
  model: 'base',
  batchSize: 'auto',
  hallucinationSilenceThreshold: null,
  diarize: false,
})
// @ts-expect-error not a number of windows
transcribe('speech.wav', { model: 'base', batchSize: 'many' })
// @ts-expect-error there is one way to tell speakers apart
transcribe('speech.wav', { model: 'base', diarize: true })
// @ts-expect-error the concurrency belongs to loadModel()
transcribe('speech.wav', { model: 'base', concurrency: 2 })

// Audio.
const audio: AudioInput[] = [
  'speech.wav',
  new URL('file:///speech.wav'),
  new Uint8Array(4),
  Buffer.alloc(4),
  new ArrayBuffer(4),
  new Blob([]),
  new Float32Array(4),
  { samples: new Int16Array(4), sampleRate: 48_000, channels: 2 },
  { stream: process.stdin, format: 's16le', sampleRate: 16_000, channels: 1 },
  process.stdin,
  new Response('').body as ReadableStream<Uint8Array>,
]
// @ts-expect-error a plain array is no audio
const wrongAudio: AudioInput = [0, 1, 0]
// @ts-expect-error samples of unknown rate
const rateless: AudioInput = { samples: new Float32Array(4) }

// Models.
{
  await using model = await loadModel('base', { backend: 'hip', concurrency: 4, isolation: 'process' })
  is<Equal<typeof model, Model>>()
  is<Equal<ReturnType<typeof model.transcribe>, Transcription>>()
  is<Equal<Awaited<ReturnType<typeof model.detectLanguage>>, DetectedLanguage>>()
  is<Equal<typeof model.info.format, ModelFormat>>()
  is<Equal<typeof model.backend.reason, BackendReason>>()
  is<Equal<ReturnType<typeof model.dispose>, Promise<void>>>()
  model.transcribe(audio[0] ?? 'speech.wav', options)
  model.transcribe('speech.wav')
  // @ts-expect-error the model is given already
  model.transcribe('speech.wav', { model: 'base' })
  // @ts-expect-error read-only
  model.info.name = 'mine'
}
const loadOptions: LoadOptions = {
  onProgress: ({ stage }) => is<Equal<typeof stage, 'trial' | 'download' | 'load'>>(),
}
loadModel(new URL('https://example.com/model.bin'), { ...loadOptions, sha256: 'f'.repeat(64) })
// @ts-expect-error a policy that does not exist
loadModel('base', { backend: 'gpu' })
// @ts-expect-error isolation is a word
loadModel('base', { isolation: true })
is<Equal<Awaited<ReturnType<typeof listModels>>, ListedModel[]>>()

// The backend.
const info = await backendInfo()
is<Equal<typeof info, BackendInfo>>()
is<Equal<typeof info.active, 'hip' | 'cpu'>>()
is<Equal<typeof info.libraries.cpu, string | null>>()
assertGpu(info)
assertGpu(await transcription)
// @ts-expect-error a promise, not what it gives
assertGpu(backendInfo())

// Errors.
const error = new WhisperHipError('ERR_DISPOSED', 'The model has been disposed')
const asError: Error = error
is<Equal<typeof error.code, ErrorCode>>()
is<Equal<typeof error.reason, string | undefined>>()
is<Equal<typeof error.advice, readonly string[]>>()
is<Equal<typeof error.cause, unknown>>()
// @ts-expect-error a code that does not exist
new WhisperHipError('ERR_OTHER', '')

// The log.
setLogger(({ level, message }) => {
  is<Equal<typeof level, 'debug' | 'info' | 'warn' | 'error'>>()
  is<Equal<typeof message, string>>()
})
setLogger(null)
// @ts-expect-error undefined is no logger
setLogger(undefined)

export { asError, iterable, promise, rateless, thenable, wrongAudio }

// Files of models and of results.
is<Equal<ReturnType<typeof downloadModel>, Promise<string>>>()
is<Equal<ReturnType<typeof formatTranscription>, string>>()
is<Equal<OutputFormat, 'txt' | 'srt' | 'vtt' | 'lrc' | 'tsv' | 'json'>>()
// @ts-expect-error an unknown format
formatTranscription(await transcription, 'docx')
// @ts-expect-error an option of loading
downloadModel('base', { backend: 'cpu' })
