import {
  checkBoolean,
  checkEnum,
  checkInteger,
  checkNumber,
  checkOptions,
  checkSignal,
  invalidArgument,
} from '../check.ts'
import type { NativeTranscribeOptions } from '../native.ts'
import { type ModelFacts, parseTranscribeOptions } from '../transcribe/options.ts'
import { networkPath } from '../vad/network.ts'
import { negThresholdOf } from '../vad/options.ts'
import type { Warning } from '../warnings.ts'
import { type EndpointOptions, FRAME } from './endpointer.ts'
import type { LiveSpeechOptions, SampleFormat, StreamOptions } from './types.ts'

/** Options of a live transcription in their final form. */
export interface ParsedStreamOptions {
  sampleRate: number
  channels: number
  format: SampleFormat
  policy: 'phrase' | 'agreement' | 'alignatt'
  /** Of `alignatt`: positions of 20 ms. */
  frameThreshold: number
  partials: boolean
  /** Samples at 16 kHz. */
  step: number
  /** Path of the network of voice activity; '' without. */
  network: string
  endpoints: EndpointOptions
  /** Speech that is not longer is none: samples. */
  minSpeech: number
  /** For the careful decoding. */
  transcribe: NativeTranscribeOptions
  /** What is done otherwise than the options say. */
  warnings: Warning[]
  signal: AbortSignal | undefined
}

const own = [
  'sampleRate',
  'channels',
  'format',
  'policy',
  'frameThreshold',
  'partials',
  'step',
  'vad',
] as const satisfies readonly (keyof StreamOptions)[]

const passedOn = [
  'language',
  'task',
  'beamSize',
  'temperature',
  'initialPrompt',
  'hotwords',
  'suppressTokens',
  'noSpeechThreshold',
  'logProbThreshold',
  'compressionRatioThreshold',
  'threads',
  'signal',
] as const satisfies readonly (keyof StreamOptions)[]

/** The name of every option of a live transcription. */
export const streamOptionNames: readonly string[] = [...own, ...passedOn]

const SAMPLES_PER_MS = 16
/** A longer pause after the speech adds nothing to what is understood, and waiting for it costs time. */
const LONGEST_TAIL_MS = 200

/**
 * Checks the options of a live transcription and fills in the defaults; {@link StreamOptions} documents both.
 *
 * @throws `ERR_INVALID_ARGUMENT` naming the option; `ERR_NATIVE_MISSING` when the package lacks its network of voice activity
 */
export function parseStreamOptions(options: unknown, model: ModelFacts): ParsedStreamOptions {
  const given = checkOptions(options, streamOptionNames, 'stream()')
  const transcription = Object.fromEntries(passedOn.map((name) => [name, given[name]]))
  const { native, warnings } = parseTranscribeOptions({ ...transcription, timestamps: 'word' }, model)
  const read = <T>(name: string, parse: (value: unknown, name: string) => T, absent: T): T =>
    given[name] === undefined ? absent : parse(given[name], name)

  const policy = read<ParsedStreamOptions['policy']>(
    'policy',
    (value, name) => checkEnum(value, name, ['phrase', 'agreement', 'alignatt']),
    'phrase',
  )
  const step = read('step', (value, name) => checkNumber(value, name, 0.2, 10), 0.8)
  return {
    sampleRate: read('sampleRate', (value, name) => checkInteger(value, name, 1000, 768_000), 16_000),
    channels: read('channels', (value, name) => checkInteger(value, name, 1, 64), 1),
    format: read('format', (value, name) => checkEnum(value, name, ['s16le', 'f32le']), 's16le'),
    policy,
    frameThreshold: read('frameThreshold', (value, name) => parseFrames(value, name, policy), 25),
    partials: read('partials', checkBoolean, true),
    step: Math.round(step * 1000 * SAMPLES_PER_MS),
    ...parseVad(given.vad === undefined ? true : given.vad),
    transcribe: native,
    warnings,
    signal: read('signal', checkSignal, undefined),
  }
}

function parseFrames(value: unknown, name: string, policy: ParsedStreamOptions['policy']): number {
  if (policy !== 'alignatt') throw invalidArgument('no value without policy "alignatt"', name, value)
  return checkInteger(value, name, 1, 250)
}

const speechNames = [
  'threshold',
  'negThreshold',
  'minSpeechDurationMs',
  'minSilenceDurationMs',
  'speechPadMs',
  'maxSpeechDurationS',
] as const satisfies readonly (keyof LiveSpeechOptions)[]

function parseVad(vad: unknown): Pick<ParsedStreamOptions, 'network' | 'endpoints' | 'minSpeech'> {
  if (typeof vad !== 'boolean' && (typeof vad !== 'object' || vad === null || Array.isArray(vad))) {
    throw invalidArgument('a boolean or an object of options', 'vad', vad)
  }
  const given = checkOptions(typeof vad === 'object' ? vad : {}, speechNames, 'vad')
  const read = (name: keyof LiveSpeechOptions, absent: number, min: number, max: number): number =>
    given[name] === undefined ? absent : checkNumber(given[name], `vad.${name}`, min, max)

  const threshold = read('threshold', 0.5, 0, 1)
  const minSilenceMs = read('minSilenceDurationMs', 500, 100, 10_000)
  const padMs = read('speechPadMs', 300, 0, 1000)
  const longest = read('maxSpeechDurationS', 25, 5, 30) * 1000 * SAMPLES_PER_MS
  return {
    network: vad === false ? '' : networkPath(),
    endpoints: {
      // Without voice activity everything is speech: the frames carry their loudness.
      threshold: vad === false ? -1 : threshold,
      negThreshold: vad === false ? -1 : read('negThreshold', negThresholdOf(threshold), 0, threshold),
      minSilence: minSilenceMs * SAMPLES_PER_MS,
      lead: Math.round(padMs * SAMPLES_PER_MS),
      tail: Math.ceil((Math.min(padMs, LONGEST_TAIL_MS, minSilenceMs / 2) * SAMPLES_PER_MS) / FRAME) * FRAME,
      longest,
    },
    minSpeech: vad === false ? 0 : read('minSpeechDurationMs', 100, 0, 1000) * SAMPLES_PER_MS,
  }
}
