import type { LoadOptions, TranscribeOptions } from '../index.ts'
import { languageTokens } from '../model/languages.ts'
import { type ModelFacts, parseTranscribeOptions } from '../transcribe/options.ts'
import { type Flags, toUsage } from './flags.ts'
import { listOf, numberIfDigits, numberOr, partsOf, textOrFile } from './values.ts'

/** Functions and signals, which a command line cannot give. */
type NotWritten = 'signal' | 'onProgress' | 'onSegment'

/** Options of `loadModel()`. The command line itself runs in Node, and reads `WHISPER_HIP_NODE`. */
export const loadFlags: Flags<
  Exclude<keyof LoadOptions, 'concurrency' | 'maxStreams' | 'nodePath' | 'onProgress' | 'signal'>
> = {
  backend: {
    flags: '--backend <policy>',
    description: 'auto, hip (fails rather than run on the CPU) or cpu (default: auto)',
  },
  device: {
    flags: '--device <gpu>',
    description: 'index, PCI address or name of the GPU (default: the one with the most memory)',
    read: numberIfDigits,
  },
  allowPartial: {
    flags: '--allow-partial',
    opposite: '--no-allow-partial',
    description: 'compute on the CPU what the GPU does not support (default: unless --backend hip)',
  },
  weightType: {
    flags: '--weight-type <type>',
    description: 'type of the weights in memory, e.g. f16 or q8_0 (default: auto, as in the file)',
  },
  isolation: {
    flags: '--isolation <where>',
    description: 'process: run the model in a process of its own, or none (default: none)',
  },
  flashAttention: { flags: '--no-flash-attention', description: 'do not use the fused attention kernels' },
  offline: { flags: '--offline', description: 'never touch the network' },
  sha256: { flags: '--sha256 <digest>', description: 'expected SHA-256 of a model by URL' },
}

/** Options of `transcribe()`. */
export const runFlags: Flags<Exclude<keyof TranscribeOptions, NotWritten>> = {
  language: {
    flags: '-l, --language <code>',
    description:
      'language of the speech: code or English name, a list such as de,fr to choose from, or auto (default: auto)',
    read: (text) => (text.includes(',') ? listOf((code) => code)(text) : text),
  },
  task: {
    flags: '--task <task>',
    description: 'transcribe, or translate (into English) (default: transcribe)',
  },
  timestamps: { flags: '--timestamps <kind>', description: 'segment, word or none (default: segment)' },
  maxSegmentLength: {
    flags: '--max-segment-length <characters>',
    description: 'split longer segments between words',
    read: numberOr(),
  },
  channel: {
    flags: '--channel <which>',
    description: 'mix, split (each channel for itself) or the number of a channel (default: mix)',
    read: numberIfDigits,
  },
  diarize: {
    flags: '--diarize <how>',
    description: 'stereo: tell who speaks, of two speakers on a channel each (default: off)',
  },
  track: {
    flags: '--track <which>',
    description: 'audio track of a container: its number from 0, or its language (default: its default)',
    read: numberIfDigits,
  },
  offset: {
    flags: '--offset <seconds>',
    description: 'where to begin in the audio (default: 0)',
    read: numberOr(),
  },
  duration: {
    flags: '--duration <seconds>',
    description: 'how much to transcribe from there (default: all)',
    read: numberOr(),
  },
  clips: {
    flags: '--clips <ranges>',
    description: 'parts of the audio in seconds, e.g. 0-30,60.5-90,120-',
    read: partsOf,
  },
  vad: { flags: '--vad', description: 'transcribe only what voice activity detection takes for speech' },
  hotwords: { flags: '--hotwords <words>', description: 'words to expect, such as names' },
  initialPrompt: { flags: '--initial-prompt <text>', description: 'hint at spelling and style' },
  prefix: { flags: '--prefix <text>', description: 'what is known to be said first; left out of the text' },
  carryInitialPrompt: {
    flags: '--carry-initial-prompt',
    description: 'put the prompt before every window of 30 seconds',
  },
  conditionOnPreviousText: {
    flags: '--condition-on-previous-text',
    description: 'give the text so far to the next window',
  },
  beamSize: {
    flags: '--beam-size <n>',
    description: 'beams of the search, 1 to 32; 1 is fastest (default: 5)',
    read: numberOr(),
  },
  patience: {
    flags: '--patience <x>',
    description: 'search until there are this many times the beams, 0.1 to 10 (default: 1)',
    read: numberOr(),
  },
  bestOf: {
    flags: '--best-of <n>',
    description: 'samples drawn at temperatures above 0, 1 to 32 (default: 5)',
    read: numberOr(),
  },
  temperature: {
    flags: '--temperature <list>',
    description: 'temperatures to try in order (default: 0,0.2,0.4,0.6,0.8,1)',
    read: listOf(numberOr()),
  },
  seed: {
    flags: '--seed <n>',
    description: 'start of the random numbers of these samples (default: 0)',
    read: numberOr(),
  },
  lengthPenalty: {
    flags: '--length-penalty <a>',
    description: 'exponent of the length penalty, 0 to 10 (default: divide by the length)',
    read: numberOr(),
  },
  repetitionPenalty: {
    flags: '--repetition-penalty <x>',
    description: 'above 1: make words that were written less likely, 0.1 to 10 (default: 1)',
    read: numberOr(),
  },
  noRepeatNgramSize: {
    flags: '--no-repeat-ngram-size <n>',
    description: 'never write so many tokens twice in a window, up to 32, or 0 (default: 0)',
    read: numberOr(),
  },
  noSpeechThreshold: {
    flags: '--no-speech-threshold <p>',
    description: 'probability above which a window is silence (default: 0.6)',
    read: numberOr(),
  },
  logProbThreshold: {
    flags: '--log-prob-threshold <x>',
    description: 'log probability below which a text is tried again, or none (default: -1)',
    read: numberOr({ none: Number.NEGATIVE_INFINITY }),
  },
  compressionRatioThreshold: {
    flags: '--compression-ratio-threshold <x>',
    description: 'ratio above which a text is tried again, or none (default: 2.4)',
    read: numberOr({ none: null }),
  },
  hallucinationSilenceThreshold: {
    flags: '--hallucination-silence-threshold <seconds>',
    description: 'skip longer silence around invented text, with --timestamps word, or none (default: none)',
    read: numberOr({ none: null }),
  },
  suppressBlank: { flags: '--no-suppress-blank', description: 'allow a window to begin with a blank' },
  suppressTokens: {
    flags: '--suppress-tokens <list>',
    description: 'numbers of tokens that are never written; -1: the symbols',
    read: listOf(numberOr()),
  },
  suppressRegex: {
    flags: '--suppress-regex <expression>',
    description: 'tokens that are never written, as an ECMAScript expression',
  },
  grammar: {
    flags: '--grammar <gbnf>',
    description: 'grammar that the text has to follow; @FILE reads it from a file',
    read: textOrFile,
  },
  grammarRule: { flags: '--grammar-rule <name>', description: 'rule to begin with (default: root)' },
  grammarPenalty: {
    flags: '--grammar-penalty <x>',
    description: 'loss of a token outside the grammar, 0 to 1000 (default: 100)',
    read: numberOr(),
  },
  maxTokens: {
    flags: '--max-tokens <n>',
    description: 'most tokens for a window of 30 seconds, 1 to 448',
    read: numberOr(),
  },
  batchSize: {
    flags: '--batch-size <n>',
    description: 'windows decoded at once, 1 to 64, or auto (default: auto)',
    read: numberIfDigits,
  },
  threads: {
    flags: '--threads <n>',
    description: 'threads to compute with (default: all)',
    read: numberOr(),
  },
}

/** All flags of `transcribe` that are options of the library. */
export const transcribeFlags: Flags<string> = { ...loadFlags, ...runFlags }

/** A model that can do everything: what it refuses, every model does. */
export const anyModel: ModelFacts = {
  multilingual: true,
  languages: [...languageTokens(51_866)],
  vocabularySize: 51_866,
  tokenize: () => [],
  maxThreads: 65_536,
}

/**
 * Checks what can be checked without a model, so that a slip is not told after the model has been downloaded and loaded. The
 * library checks all again, against the model.
 * @throws {@link UsageError}
 */
export function checkRunOptions(options: object): void {
  try {
    parseTranscribeOptions(options, anyModel)
  } catch (error) {
    throw toUsage(error, transcribeFlags)
  }
}
