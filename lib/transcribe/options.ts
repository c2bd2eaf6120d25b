import { type AudioChoice, parseChannel, parseTrack } from '../audio/choice.ts'
import {
  checkArray,
  checkBoolean,
  checkEnum,
  checkFunction,
  checkInteger,
  checkNumber,
  checkOptions,
  checkSignal,
  checkString,
  invalidArgument,
} from '../check.ts'
import type { Abilities } from '../model/abilities.ts'
import type { NativeTranscribeOptions } from '../native.ts'
import { networkPath } from '../vad/network.ts'
import { parseSpeechOptions } from '../vad/options.ts'
import type { Warning } from '../warnings.ts'
import { parseLanguage } from './languages.ts'
import { composePrompt } from './prompt.ts'
import { parseSuppressRegex } from './regex.ts'
import type { TranscribeOptions } from './types.ts'

/** What of a model the options depend on. */
export interface ModelFacts {
  multilingual: boolean
  /** ISO codes. */
  languages: readonly string[]
  vocabularySize: number
  /** What it was trained for; absent: everything. */
  abilities?: Pick<Abilities, 'translates' | 'isDistilled'>
  /** Tokens of a text. */
  tokenize: (text: string) => number[]
  /** Size of the process-wide pool of compute threads. */
  maxThreads: number
}

/** Options in their final form: what the addon gets, and what stays on this side. */
export interface ParsedTranscribeOptions {
  native: NativeTranscribeOptions
  choice: AudioChoice
  maxSegmentLength: number | undefined
  /** What is done otherwise than the options say. */
  warnings: Warning[]
  signal: AbortSignal | undefined
  onProgress: ((progress: number) => void) | undefined
  onSegment: TranscribeOptions['onSegment']
}

const names = [
  'language',
  'task',
  'beamSize',
  'patience',
  'bestOf',
  'temperature',
  'seed',
  'lengthPenalty',
  'repetitionPenalty',
  'noRepeatNgramSize',
  'hotwords',
  'initialPrompt',
  'prefix',
  'carryInitialPrompt',
  'conditionOnPreviousText',
  'suppressBlank',
  'suppressTokens',
  'suppressRegex',
  'grammar',
  'grammarRule',
  'grammarPenalty',
  'maxTokens',
  'timestamps',
  'maxSegmentLength',
  'channel',
  'track',
  'offset',
  'duration',
  'clips',
  'vad',
  'noSpeechThreshold',
  'logProbThreshold',
  'compressionRatioThreshold',
  'hallucinationSilenceThreshold',
  'batchSize',
  'diarize',
  'threads',
  'signal',
  'onProgress',
  'onSegment',
] as const satisfies readonly (keyof TranscribeOptions)[]

/** The name of every transcription option. */
export const transcribeOptionNames: readonly string[] = names

/** Beams, or samples, of a window. */
const MOST_CANDIDATES = 32
const MOST_WINDOWS = 64
/** Of the half of the text context that the longest prompt leaves, half: the rest is for what is written. */
const PREFIX_TOKENS = 111

/** Seconds; keeps times in milliseconds within 32 bits. */
const longestTime = 1_000_000

/**
 * Checks the options of a transcription and fills in the defaults; {@link TranscribeOptions} documents both.
 *
 * @throws `ERR_INVALID_ARGUMENT` naming the option
 */
export function parseTranscribeOptions(options: unknown, model: ModelFacts): ParsedTranscribeOptions {
  const given = checkOptions(options, transcribeOptionNames, 'transcribe()')
  const read = <T>(name: string, parse: (value: unknown, name: string) => T, absent: T): T =>
    given[name] === undefined ? absent : parse(given[name], name)

  const timestamps = read('timestamps', parseTimestamps, 'segment')
  const suppressTokens = read('suppressTokens', (value) => parseTokens(value, model.vocabularySize), [])
  const spoken = parseLanguage(given.language ?? 'auto', model)
  const task = read('task', (value) => parseTask(value, model), 'transcribe')
  const beamSize = read('beamSize', (value, name) => checkInteger(value, name, 1, MOST_CANDIDATES), 5)
  const conditionOnPreviousText = read('conditionOnPreviousText', checkBoolean, false)
  const hallucinationSilenceThreshold = read(
    'hallucinationSilenceThreshold',
    (value, name) => parseSilence(value, name, timestamps),
    Number.POSITIVE_INFINITY,
  )
  const { warnings, ...prompt } = composePrompt(
    read('hotwords', parsePromptText, ''),
    read('initialPrompt', parsePromptText, ''),
    model.tokenize,
  )
  const native: NativeTranscribeOptions = {
    ...spoken,
    network: networkPath(),
    translate: task === 'translate',
    beamSize,
    patience: read('patience', (value, name) => parsePatience(value, name, beamSize), 1),
    bestOf: read('bestOf', (value, name) => checkInteger(value, name, 1, MOST_CANDIDATES), 5),
    temperatures: read('temperature', parseTemperatures, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    seed: read('seed', (value, name) => checkInteger(value, name, 0), 0),
    lengthPenalty: read('lengthPenalty', (value, name) => checkNumber(value, name, 0, 10), Number.NaN),
    repetitionPenalty: read('repetitionPenalty', (value, name) => checkNumber(value, name, 0.1, 10), 1),
    noRepeatNgramSize: read('noRepeatNgramSize', (value, name) => checkInteger(value, name, 0, 32), 0),
    ...prompt,
    prefix: read('prefix', (value, name) => parsePrefix(value, name, model.tokenize), []),
    carryInitialPrompt: read('carryInitialPrompt', checkBoolean, false),
    conditionOnPreviousText,
    suppressBlank: read('suppressBlank', checkBoolean, true),
    suppressNonSpeech: suppressTokens.includes(-1),
    suppressTokens: suppressTokens.filter((token) => token !== -1),
    suppressRegex: read('suppressRegex', parseSuppressRegex, ''),
    ...parseGrammar(given),
    maxTokens: read('maxTokens', (value, name) => checkInteger(value, name, 1, 448), 0),
    timestamps: timestamps !== 'none',
    words: timestamps === 'word',
    clips: parseParts(given),
    vad: read('vad', parseVad, null),
    noSpeechThreshold: read('noSpeechThreshold', (value, name) => checkNumber(value, name, 0, 1), 0.6),
    logProbThreshold: read(
      'logProbThreshold',
      (value, name) => checkNumber(value, name, Number.NEGATIVE_INFINITY, 0),
      -1,
    ),
    compressionRatioThreshold: read('compressionRatioThreshold', parseCompressionRatio, 2.4),
    hallucinationSilenceThreshold,
    batchSize: read('batchSize', parseBatchSize, 0),
    diarize: read('diarize', parseDiarize, false),
    threads: read(
      'threads',
      (value, name) => checkInteger(value, name, 1, model.maxThreads),
      model.maxThreads,
    ),
  }
  const channel = read('channel', parseChannel, 'mix')
  if (native.diarize && channel !== 'mix') {
    throw invalidArgument('"mix" beside diarize', 'channel', channel, {
      advice: [
        'Leave out the option diarize: with channel, a segment tells its channel, if there are several',
      ],
    })
  }
  if (native.batchSize > 1) refuseWhatNeedsOrder(native)
  return {
    native,
    warnings: [...warnings, ...doubts(model, task, spoken.language)],
    choice: {
      channel,
      track: read('track', parseTrack, undefined),
    },
    maxSegmentLength: read(
      'maxSegmentLength',
      (value, name) => checkInteger(value, name, 1, 10_000),
      undefined,
    ),
    signal: read('signal', checkSignal, undefined),
    onProgress: read('onProgress', checkFunction<(progress: number) => void>, undefined),
    onSegment: read('onSegment', checkFunction<NonNullable<TranscribeOptions['onSegment']>>, undefined),
  }
}

function parseTask(value: unknown, { multilingual, abilities }: ModelFacts): 'transcribe' | 'translate' {
  const task = checkEnum(value, 'task', ['transcribe', 'translate'])
  if (task === 'transcribe') return task
  if (multilingual && abilities?.translates !== 'no') return task
  if (multilingual) {
    throw invalidArgument('"transcribe" (the model was not trained to translate)', 'task', value, {
      advice: ['Load a model that was: large-v3, large-v2, medium, small, base or tiny'],
    })
  }
  throw invalidArgument('"transcribe" (the model is English-only)', 'task', value, {
    advice: ['Load a multilingual model to translate: one whose name does not end in .en'],
  })
}

function parseTimestamps(value: unknown): 'segment' | 'word' | 'none' {
  return checkEnum(value, 'timestamps', ['segment', 'word', 'none'])
}

/** What a model of this shape was most likely not trained for. */
function doubts({ abilities }: ModelFacts, task: 'transcribe' | 'translate', language: string): Warning[] {
  const found: string[] = []
  if (task === 'translate' && abilities?.translates === 'unlikely')
    found.push('was most likely not trained to translate, and may write what is said')
  if (abilities?.isDistilled && language !== '' && language !== 'en')
    found.push(`was most likely trained for one language, and may write English or nonsense for ${language}`)
  return found.map((what) => ({
    code: 'MODEL_UNFIT',
    message: `The model has few layers in its decoder, as turbo and the distilled models have: it ${what}`,
  }))
}

/** As something that was said before: a word begins with a space. */
function parsePromptText(value: unknown, name: string): string {
  const text = checkString(value, name, 0, 10_000).trim()
  return text === '' ? '' : ` ${text}`
}

function parsePatience(value: unknown, name: string, beamSize: number): number {
  const patience = checkNumber(value, name, 0.1, 10)
  if (beamSize === 1 || Math.round(beamSize * patience) >= 1) return patience
  const least = `a number of at least ${0.5 / beamSize} (with ${beamSize} beams)`
  throw invalidArgument(least, name, value)
}

function parsePrefix(value: unknown, name: string, tokenize: ModelFacts['tokenize']): number[] {
  const text = parsePromptText(value, name)
  const tokens = text === '' ? [] : tokenize(text)
  if (tokens.length <= PREFIX_TOKENS) return tokens
  throw invalidArgument(`a text of at most ${PREFIX_TOKENS} tokens, not ${tokens.length},`, name, value, {
    advice: ['Give text that was said before the audio as the option initialPrompt'],
  })
}

function parseSilence(value: unknown, name: string, timestamps: string): number {
  if (value === null) return Number.POSITIVE_INFINITY
  const seconds = checkNumber(value, name, 0, longestTime)
  if (timestamps === 'word') return seconds
  throw invalidArgument('no value without timestamps "word"', name, value, {
    advice: ["Set the option timestamps to 'word': what was invented shows in the times of its words"],
  })
}

function parseBatchSize(value: unknown, name: string): number {
  if (value === 'auto') return 0
  if (typeof value === 'number') return checkInteger(value, name, 1, MOST_WINDOWS)
  throw invalidArgument(`"auto" or an integer from 1 to ${MOST_WINDOWS}`, name, value)
}

function parseDiarize(value: unknown, name: string): boolean {
  if (value === false) return false
  if (value === 'stereo') return true
  throw invalidArgument('"stereo" or false', name, value)
}

/** What a window takes from the one before it cannot have when both are decoded at once. */
function refuseWhatNeedsOrder({
  batchSize,
  conditionOnPreviousText,
  hallucinationSilenceThreshold,
}: NativeTranscribeOptions): void {
  const reason = conditionOnPreviousText
    ? 'conditionOnPreviousText'
    : hallucinationSilenceThreshold < Number.POSITIVE_INFINITY
      ? 'hallucinationSilenceThreshold'
      : undefined
  if (reason === undefined) return
  throw invalidArgument(`1 or "auto" beside ${reason}`, 'batchSize', batchSize, {
    advice: [
      `Leave out the option ${reason}, which decodes one window after another, to decode ${batchSize} at once`,
      'Or leave out the option batchSize',
    ],
  })
}

function parseTemperatures(value: unknown, name: string): number[] {
  if (!Array.isArray(value)) return [checkNumber(value, name, 0, 1)]
  const list = checkArray(value, name, 1, 16).map((item, i) => checkNumber(item, `${name}[${i}]`, 0, 1))
  const fallen = list.findIndex((temperature, i) => i > 0 && temperature <= (list[i - 1] ?? 0))
  if (fallen >= 0)
    throw invalidArgument('a larger number than the one before', `${name}[${fallen}]`, list[fallen])
  return list
}

function parseTokens(value: unknown, vocabularySize: number): number[] {
  const endOfText = vocabularySize === 51_864 ? 50_256 : 50_257
  return checkArray(value, 'suppressTokens').map((token, i) => {
    const name = `suppressTokens[${i}]`
    if (token === endOfText) throw invalidArgument('a token other than the end of the text', name, token)
    return checkInteger(token, name, -1, vocabularySize - 1)
  })
}

function parseGrammar(
  given: Record<string, unknown>,
): Pick<NativeTranscribeOptions, 'grammar' | 'grammarRule' | 'grammarPenalty'> {
  if (given.grammar === undefined) {
    for (const name of ['grammarRule', 'grammarPenalty']) {
      if (given[name] !== undefined) throw invalidArgument('no value without grammar', name, given[name])
    }
    return { grammar: '', grammarRule: 'root', grammarPenalty: 100 }
  }
  const grammarRule = checkString(given.grammarRule ?? 'root', 'grammarRule', 1, 100)
  if (!/^[a-zA-Z0-9-]+$/.test(grammarRule)) {
    throw invalidArgument('the name of a rule (letters, digits and -)', 'grammarRule', grammarRule)
  }
  return {
    grammar: checkString(given.grammar, 'grammar', 1, 65_536),
    grammarRule,
    grammarPenalty: checkNumber(given.grammarPenalty ?? 100, 'grammarPenalty', 0, 1000),
  }
}

function parseVad(value: unknown): NativeTranscribeOptions['vad'] {
  if (value === false) return null
  if (value === true) return parseSpeechOptions({}, 'vad')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgument('a boolean or an object of options', 'vad', value)
  }
  return parseSpeechOptions(value, 'vad', 'vad.')
}

function parseCompressionRatio(value: unknown, name: string): number {
  return value === null ? Number.POSITIVE_INFINITY : checkNumber(value, name, 1)
}

/** The parts of the audio to transcribe as flat [start, end] pairs. */
function parseParts(given: Record<string, unknown>): number[] {
  if (given.clips === undefined) {
    const offset = checkNumber(given.offset ?? 0, 'offset', 0, longestTime)
    if (given.duration === undefined) return [offset, Number.POSITIVE_INFINITY]
    const duration = checkNumber(given.duration, 'duration', 0, longestTime)
    if (duration === 0) throw invalidArgument('a number above 0', 'duration', duration)
    return [offset, offset + duration]
  }
  for (const name of ['offset', 'duration']) {
    if (given[name] !== undefined) throw invalidArgument('no value beside clips', name, given[name])
  }
  const parts: number[] = []
  for (const [i, clip] of checkArray(given.clips, 'clips', 1, 10_000).entries()) {
    const where = `clips[${i}]`
    const [givenStart, givenEnd] = clipBounds(clip, where)
    const start = checkNumber(givenStart, `${where}.start`, parts.at(-1) ?? 0, longestTime)
    const end = givenEnd === undefined ? Number.POSITIVE_INFINITY : givenEnd
    if (typeof end !== 'number' || !(end > start)) {
      throw invalidArgument(`a number above its start ${start}`, `${where}.end`, end)
    }
    parts.push(start, end)
  }
  return parts
}

function clipBounds(clip: unknown, where: string): readonly [unknown, unknown] {
  if (Array.isArray(clip)) {
    const [start, end] = checkArray(clip, where, 1, 2)
    return [start, end]
  }
  if (typeof clip !== 'object' || clip === null) {
    throw invalidArgument('{ start, end } or [start, end]', where, clip)
  }
  const { start, end } = checkOptions(clip, ['start', 'end'], where)
  return [start, end]
}
