export { type BackendInfoOptions, backendInfo } from './backend/info.ts'
export type {
  BackendInfo,
  BackendNote,
  BackendReason,
  GpuDevice,
  ProbeStage,
  RocmInstallation,
  TrialProgress,
} from './backend/types.ts'
export { type ErrorCode, type ErrorDetails, WhisperHipError } from './errors.ts'
export { loadModel } from './load-model.ts'
export { type LogEntry, type LogLevel, type LogSink, setLogger } from './log.ts'
export type { WeightType } from './model/conversions.ts'
export {
  type ConvertedModel,
  type ConvertOptions,
  type ConvertProgress,
  convertModel,
} from './model/convert.ts'
export { type ListedModel, listModels } from './model/download/index.ts'
export { type DownloadOptions, downloadModel } from './model/download-model.ts'
export { type EstimateOptions, estimateMemory, type MemoryNeed } from './model/estimate.ts'
export type { ModelFormat } from './model/plan.ts'
export type {
  DetectedLanguage,
  LoadOptions,
  LoadProgress,
  ModelBackend,
  ModelInfo,
  ModelInput,
} from './model/types.ts'
export { Model } from './model.ts'
export { formatTranscription } from './output/format-transcription.ts'
export type { OutputFormat } from './output/types.ts'
export type { LiveStream } from './stream/live-stream.ts'
export type {
  FinalEvent,
  LiveSpeechOptions,
  PartialEvent,
  SampleFormat,
  SpeechEndEvent,
  SpeechStartEvent,
  StreamEvent,
  StreamOptions,
  StreamStatsEvent,
  WarningEvent,
} from './stream/types.ts'
export { assertGpu } from './transcribe/assert-gpu.ts'
export type {
  AudioInput,
  ChunkStream,
  Clip,
  PcmAudio,
  PcmStream,
  RunStats,
  Segment,
  Speaker,
  Token,
  TranscribeOptions,
  Transcription,
  TranscriptionResult,
  Word,
} from './transcribe/types.ts'
export { type OneCallOptions, transcribe } from './transcribe-once.ts'
export { detectSpeech } from './vad/detect-speech.ts'
export type { DetectSpeechOptions, SpeechDetection, SpeechOptions, SpeechSegment } from './vad/types.ts'
export type { Warning, WarningCode } from './warnings.ts'
