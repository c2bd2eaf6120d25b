import { describe, expect, it } from 'vitest'
import { WhisperHipError } from '../../../lib/errors.ts'
import { parseTranscribeOptions } from '../../../lib/transcribe/options.ts'

/** A token for each character: its code. */
const tokenize = (text: string) => [...text].map((character) => character.codePointAt(0) ?? 0)

const multilingual = {
  multilingual: true,
  languages: ['en', 'zh', 'de', 'my', 'haw'],
  vocabularySize: 51_865,
  tokenize,
  maxThreads: 4,
}
const english = { multilingual: false, languages: ['en'], vocabularySize: 51_864, tokenize, maxThreads: 2 }

const parse = (options?: unknown, model = multilingual) => parseTranscribeOptions(options, model)
const native = (options?: unknown, model = multilingual) => parse(options, model).native

function refusal(options: unknown, model = multilingual): WhisperHipError {
  try {
    parse(options, model)
  } catch (error) {
    expect(error).toBeInstanceOf(WhisperHipError)
    expect((error as WhisperHipError).code).toBe('ERR_INVALID_ARGUMENT')
    return error as WhisperHipError
  }
  throw new Error(`accepted ${JSON.stringify(options)}`)
}

it('has the documented defaults', () => {
  expect(parse()).toEqual({
    native: {
      language: '',
      languages: [],
      network: expect.stringMatching(/^\/.*\.onnx$/),
      translate: false,
      beamSize: 5,
      patience: 1,
      bestOf: 5,
      temperatures: [0, 0.2, 0.4, 0.6, 0.8, 1],
      seed: 0,
      lengthPenalty: Number.NaN,
      repetitionPenalty: 1,
      noRepeatNgramSize: 0,
      hotwords: [],
      initialPrompt: [],
      prefix: [],
      carryInitialPrompt: false,
      conditionOnPreviousText: false,
      suppressBlank: true,
      suppressNonSpeech: false,
      suppressTokens: [],
      suppressRegex: '',
      grammar: '',
      grammarRule: 'root',
      grammarPenalty: 100,
      maxTokens: 0,
      timestamps: true,
      words: false,
      clips: [0, Number.POSITIVE_INFINITY],
      vad: null,
      noSpeechThreshold: 0.6,
      logProbThreshold: -1,
      compressionRatioThreshold: 2.4,
      hallucinationSilenceThreshold: Number.POSITIVE_INFINITY,
      batchSize: 0,
      diarize: false,
      threads: 4,
    },
    warnings: [],
    choice: { channel: 'mix', track: undefined },
    maxSegmentLength: undefined,
    signal: undefined,
    onProgress: undefined,
    onSegment: undefined,
  })
})

it('passes every option on', () => {
  const { signal } = new AbortController()
  const onProgress = () => {}
  const onSegment = () => {}
  const parsed = parse({
    language: 'de',
    task: 'translate',
    beamSize: 32,
    patience: 2,
    bestOf: 1,
    temperature: 0.3,
    seed: Number.MAX_SAFE_INTEGER,
    lengthPenalty: 1,
    repetitionPenalty: 1.2,
    noRepeatNgramSize: 3,
    hotwords: 'Kennedy ',
    initialPrompt: 'Zürich',
    prefix: ' And so,\n',
    carryInitialPrompt: true,
    conditionOnPreviousText: true,
    suppressBlank: false,
    suppressTokens: [-1, 5],
    suppressRegex: /\d+/,
    grammar: 'root ::= "yes"',
    grammarRule: 'answer',
    grammarPenalty: 50,
    maxTokens: 10,
    timestamps: 'word',
    maxSegmentLength: 42,
    channel: 'split',
    track: 'deu',
    offset: 1,
    duration: 2.5,
    vad: { threshold: 0.6, maxSpeechDurationS: 20 },
    noSpeechThreshold: 1,
    logProbThreshold: Number.NEGATIVE_INFINITY,
    compressionRatioThreshold: null,
    hallucinationSilenceThreshold: 2,
    batchSize: 1,
    diarize: false,
    threads: 1,
    signal,
    onProgress,
    onSegment,
  })
  expect(parsed).toEqual({
    native: {
      language: 'de',
      languages: [],
      network: expect.stringMatching(/^\/.*\.onnx$/),
      translate: true,
      beamSize: 32,
      patience: 2,
      bestOf: 1,
      temperatures: [0.3],
      seed: Number.MAX_SAFE_INTEGER,
      lengthPenalty: 1,
      repetitionPenalty: 1.2,
      noRepeatNgramSize: 3,
      hotwords: tokenize(' Kennedy'),
      initialPrompt: tokenize(' Zürich'),
      prefix: tokenize(' And so,'),
      carryInitialPrompt: true,
      conditionOnPreviousText: true,
      suppressBlank: false,
      suppressNonSpeech: true,
      suppressTokens: [5],
      suppressRegex: '\\d+',
      grammar: 'root ::= "yes"',
      grammarRule: 'answer',
      grammarPenalty: 50,
      maxTokens: 10,
      timestamps: true,
      words: true,
      clips: [1, 3.5],
      vad: {
        network: expect.stringMatching(/\.onnx$/),
        threshold: 0.6,
        negThreshold: expect.closeTo(0.45, 10),
        minSpeechDurationMs: 0,
        maxSpeechDurationS: 20,
        minSilenceDurationMs: 2000,
        speechPadMs: 400,
      },
      noSpeechThreshold: 1,
      logProbThreshold: Number.NEGATIVE_INFINITY,
      compressionRatioThreshold: Number.POSITIVE_INFINITY,
      hallucinationSilenceThreshold: 2,
      batchSize: 1,
      diarize: false,
      threads: 1,
    },
    warnings: [],
    choice: { channel: 'split', track: 'deu' },
    maxSegmentLength: 42,
    signal,
    onProgress,
    onSegment,
  })
})

it.each([
  [{ channel: 'left' }, '"mix", "split" or the number of a channel for channel but received "left"'],
  [{ channel: -1 }, 'an integer from 0 to 63 for channel'],
  [{ channel: 1.5 }, 'an integer from 0 to 63 for channel'],
  [{ track: -1 }, 'an integer from 0 to 999 for track'],
  [{ track: 'the second one' }, 'the number of an audio track or the code of a language for track'],
  [{ track: null }, 'for track but received null'],
])('refuses %j', (options, message) => {
  expect(() => parse(options)).toThrow(message)
})

describe('voice activity', () => {
  it('is off or on, or has options', () => {
    expect(native({ vad: false }).vad).toBeNull()
    expect(native({ vad: true }).vad).toEqual(native({ vad: {} }).vad)
    expect(native({ vad: { threshold: undefined } }).vad).toEqual(native({ vad: true }).vad)
  })

  it('ends speech below where it begins', () => {
    const limits = (vad: object) => native({ vad }).vad?.negThreshold
    expect(limits({})).toBeCloseTo(0.35)
    expect(limits({ threshold: 0.1 })).toBe(0.01)
    expect(limits({ threshold: 0.005 })).toBe(0.005)
    expect(limits({ threshold: 0 })).toBe(0)
    expect(limits({ threshold: 0.5, negThreshold: 0.5 })).toBe(0.5)
  })

  it.each([
    [1, 'a boolean or an object of options for vad but received 1'],
    ['on', 'for vad but received "on"'],
    [null, 'for vad but received null'],
    [[], 'for vad but received an array of 0'],
    [{ treshold: 0.5 }, 'Unknown option "treshold" of vad; did you mean threshold?'],
    [{ threshold: 1.1 }, 'a number from 0 to 1 for vad.threshold'],
    [{ threshold: Number.NaN }, 'for vad.threshold but received NaN'],
    [{ threshold: '0.5' }, 'for vad.threshold but received "0.5"'],
    [{ threshold: 0.5, negThreshold: 0.6 }, 'a number from 0 to 0.5 for vad.negThreshold'],
    [{ minSpeechDurationMs: -1 }, 'for vad.minSpeechDurationMs'],
    [{ minSilenceDurationMs: Number.POSITIVE_INFINITY }, 'for vad.minSilenceDurationMs'],
    [{ speechPadMs: 60_001 }, 'for vad.speechPadMs'],
    [{ maxSpeechDurationS: 0.5 }, 'a number of at least 1 for vad.maxSpeechDurationS'],
    [{ maxSpeechDurationS: 2, speechPadMs: 1000 }, 'more than the padding at both ends, 2 seconds, for'],
  ])('refuses %j', (vad, message) => {
    expect(refusal({ vad }).message).toContain(message)
  })
})

describe('language', () => {
  it.each([
    ['auto', ''],
    ['AUTO', ''],
    ['de', 'de'],
    ['German', 'de'],
    ['MANDARIN', 'zh'],
    ['burmese', 'my'],
    ['Hawaiian', 'haw'],
  ])('takes %s', (language, code) => {
    expect(native({ language }).language).toBe(code)
  })

  it('names the nearest of an unknown one', () => {
    expect(refusal({ language: 'germn' }).message).toMatch(
      /for language but received "germn" of type string; did you mean german\?$/,
    )
  })

  it('refuses one that this model does not know', () => {
    expect(refusal({ language: 'french' }).advice).toEqual(['The model knows en, zh, de, my, haw'])
    refusal({ language: '' })
    refusal({ language: 'constructor' })
  })

  it('knows only English on an English-only model', () => {
    for (const language of ['auto', 'en', 'English', undefined])
      expect(native({ language }, english).language).toBe('en')
    expect(refusal({ language: 'de' }, english).message).toContain('English-only')
    expect(refusal({ task: 'translate' }, english).message).toContain('English-only')
    expect(native({ task: 'transcribe' }, english).translate).toBe(false)
  })
})

describe('bad values', () => {
  it.each([
    [{ beamSize: 0 }, 'Expected an integer from 1 to 32 for beamSize but received 0 of type number'],
    [{ beamSize: 33 }, 'beamSize'],
    [{ bestOf: 33 }, 'bestOf'],
    [{ patience: 0 }, 'a number from 0.1 to 10 for patience'],
    [{ patience: 11 }, 'patience'],
    [
      { patience: 0.1, beamSize: 4 },
      'a number of at least 0.125 (with 4 beams) for patience but received 0.1',
    ],
    [{ repetitionPenalty: 0 }, 'a number from 0.1 to 10 for repetitionPenalty'],
    [{ repetitionPenalty: '1.1' }, 'repetitionPenalty'],
    [{ noRepeatNgramSize: 33 }, 'an integer from 0 to 32 for noRepeatNgramSize'],
    [{ noRepeatNgramSize: 2.5 }, 'noRepeatNgramSize'],
    [{ seed: -1 }, 'an integer of at least 0 for seed'],
    [{ seed: 2 ** 53 }, 'seed'],
    [{ seed: 0.5 }, 'seed'],
    [{ seed: 1n }, 'seed'],
    [{ prefix: 5 }, 'a string for prefix'],
    [{ prefix: 'a\0' }, 'prefix'],
    [{ prefix: 'x'.repeat(111) }, 'a text of at most 111 tokens, not 112, for prefix but received "xxx'],
    [{ hallucinationSilenceThreshold: -1, timestamps: 'word' }, 'hallucinationSilenceThreshold'],
    [{ hallucinationSilenceThreshold: Number.POSITIVE_INFINITY, timestamps: 'word' }, 'a number from 0 to'],
    [{ batchSize: 0 }, 'an integer from 1 to 64 for batchSize'],
    [{ batchSize: 65 }, 'batchSize'],
    [{ batchSize: 'many' }, '"auto" or an integer from 1 to 64 for batchSize but received "many"'],
    [{ batchSize: null }, 'batchSize'],
    [{ diarize: true }, '"stereo" or false for diarize but received true'],
    [{ diarize: 'mono' }, 'diarize'],
    [{ bestOf: 1.5 }, 'bestOf'],
    [{ temperature: [] }, 'temperature'],
    [{ temperature: 1.1 }, 'temperature'],
    [{ temperature: [0, '1'] }, 'temperature[1]'],
    [{ temperature: [0, 0.4, 0.4] }, 'a larger number than the one before for temperature[2]'],
    [{ temperature: Array(1000).fill(0) }, 'temperature'],
    [{ lengthPenalty: -1 }, 'lengthPenalty'],
    [{ initialPrompt: 'x'.repeat(10_001) }, 'initialPrompt'],
    [{ suppressBlank: 1 }, 'a boolean for suppressBlank'],
    [{ suppressTokens: [51_865] }, 'an integer from -1 to 51864 for suppressTokens[0]'],
    [{ suppressTokens: -1 }, 'suppressTokens'],
    [{ maxTokens: 0 }, 'maxTokens'],
    [{ maxSegmentLength: 0 }, 'maxSegmentLength'],
    [{ noSpeechThreshold: 2 }, 'noSpeechThreshold'],
    [{ logProbThreshold: 1 }, 'logProbThreshold'],
    [{ compressionRatioThreshold: 0.5 }, 'compressionRatioThreshold'],
    [{ threads: 5 }, 'an integer from 1 to 4 for threads'],
    [{ signal: {} }, 'an AbortSignal for signal'],
    [{ onProgress: 'log' }, 'a function for onProgress'],
    [{ onSegment: null }, 'a function for onSegment'],
    [{ task: 'Translate' }, 'did you mean translate?'],
    [{ timestamps: true }, '"segment" or "word" or "none" for timestamps'],
    [{ grammar: '' }, 'grammar'],
    [{ grammarRule: 'root' }, 'no value without grammar for grammarRule'],
    [{ grammarPenalty: 1 }, 'no value without grammar for grammarPenalty'],
    [{ grammar: 'root ::= "a"', grammarRule: 'a b' }, 'grammarRule'],
    [{ beemSize: 5 }, 'did you mean beamSize?'],
    [{ beam_size: 5 }, 'did you mean beamSize?'],
  ])('refuses %o', (options, message) => {
    expect(refusal(options).message).toContain(message)
  })
})

describe('options that cannot be had together', () => {
  it.each([
    [
      { batchSize: 8, conditionOnPreviousText: true },
      '1 or "auto" beside conditionOnPreviousText for batchSize but received 8',
      /^Leave out the option conditionOnPreviousText, which .* to decode 8 at once$/,
    ],
    [
      { batchSize: 2, hallucinationSilenceThreshold: 1, timestamps: 'word' },
      '1 or "auto" beside hallucinationSilenceThreshold for batchSize',
      /^Leave out the option hallucinationSilenceThreshold/,
    ],
    [
      { hallucinationSilenceThreshold: 2 },
      'no value without timestamps "word" for hallucinationSilenceThreshold but received 2',
      /^Set the option timestamps to 'word'/,
    ],
    [
      { diarize: 'stereo', channel: 'split' },
      '"mix" beside diarize for channel but received "split"',
      /^Leave out the option diarize/,
    ],
    [{ diarize: 'stereo', channel: 0 }, '"mix" beside diarize for channel but received 0', /diarize/],
  ])('%j: the error says which to leave out', (options, message, advice) => {
    const error = refusal(options)
    expect(error.message).toContain(message)
    expect(error.advice[0]).toMatch(advice)
  })

  it.each([
    { batchSize: 'auto', conditionOnPreviousText: true },
    { batchSize: 1, conditionOnPreviousText: true },
    { batchSize: 64, conditionOnPreviousText: false },
    { batchSize: 64, hallucinationSilenceThreshold: null },
    { hallucinationSilenceThreshold: null, timestamps: 'none' },
    { hallucinationSilenceThreshold: 0, timestamps: 'word' },
    { diarize: 'stereo', channel: 'mix' },
    { diarize: false, channel: 'split' },
    { beamSize: 5, patience: 0.1 },
    { beamSize: 1, patience: 0.1 },
    { prefix: 'x'.repeat(110) },
  ])('%j can', (options) => {
    expect(() => parse(options)).not.toThrow()
  })

  it('have values that ask for what is done anyway', () => {
    const neutral = {
      patience: 1,
      repetitionPenalty: 1,
      noRepeatNgramSize: 0,
      prefix: ' ',
      hallucinationSilenceThreshold: null,
      batchSize: 'auto',
      diarize: false,
      seed: 0,
    }
    expect(parse(neutral)).toEqual(parse())
  })
})

describe('parts of the audio', () => {
  const parts = (options: unknown) => native(options).clips

  it('takes an offset and a duration', () => {
    expect(parts({ offset: 3 })).toEqual([3, Number.POSITIVE_INFINITY])
    expect(parts({ duration: 3 })).toEqual([0, 3])
  })

  it('takes clips as objects and as pairs', () => {
    expect(parts({ clips: [{ start: 0, end: 1 }, [1, 2.5], { start: 4 }] })).toEqual([
      0,
      1,
      1,
      2.5,
      4,
      Number.POSITIVE_INFINITY,
    ])
    expect(parts({ clips: [[3]] })).toEqual([3, Number.POSITIVE_INFINITY])
  })

  it.each([
    [{ clips: [] }, 'clips'],
    [{ clips: [[0, 1]], offset: 0 }, 'no value beside clips for offset'],
    [{ clips: [[0, 1]], duration: 1 }, 'no value beside clips for duration'],
    [{ clips: [[1, 1]] }, 'a number above its start 1 for clips[0].end'],
    [
      {
        clips: [
          [0, 2],
          [1, 3],
        ],
      },
      'a number from 2 to 1000000 for clips[1].start',
    ],
    [{ clips: [[0], [1, 3]] }, 'clips[1].start'],
    [{ clips: [[0, Number.NaN]] }, 'clips[0].end'],
    [{ clips: [[0, 1, 2]] }, 'clips[0]'],
    [{ clips: [{ begin: 0 }] }, '"begin"'],
    [{ clips: [{ end: 3 }] }, 'clips[0].start'],
    [{ clips: ['0-3'] }, '{ start, end } or [start, end] for clips[0]'],
    [{ offset: -1 }, 'offset'],
    [{ duration: 0 }, 'duration'],
    [{ offset: Number.POSITIVE_INFINITY }, 'offset'],
  ])('refuses %o', (options, message) => {
    expect(refusal(options).message).toContain(message)
  })
})

describe('suppressRegex', () => {
  it.each([
    '[0-9]+',
    '\\s?(one|two){1,3}',
    'a(?:b|c)(?=d)',
    '[^a-z\\]]',
    '(?:é)+',
    'é',
    '\\u0041\\x41',
    '\\{',
    '\\d{2,}',
  ])('takes %s', (source) => {
    expect(native({ suppressRegex: source }).suppressRegex).toBe(source)
    expect(native({ suppressRegex: new RegExp(source) }).suppressRegex).toBe(source)
  })

  it.each([
    ['(', 'a regular expression for suppressRegex'],
    ['(?<=a)b', 'look-behind'],
    ['(?<!a)b', 'look-behind'],
    ['(?<year>\\d+)', 'named groups'],
    ['(a)\\1', 'back-references'],
    ['\\p{L}', 'Unicode properties'],
    ['\\u{41}', 'beyond ASCII'],
    ['\\u00e9', 'beyond ASCII'],
    ['[é]', 'in a class'],
    ['é+', 'needs a group'],
    ['[[:alpha:]]', 'POSIX'],
    ['[]', 'an empty class'],
    ['[^]', 'an empty class'],
    ['a{', 'a literal {'],
    ['a{1,1000}', 'more than 256 repeats'],
    ['\\012', 'legacy'],
    ['', '1 to 256 characters'],
    ['x'.repeat(257), '1 to 256 characters'],
  ])('refuses %s', (suppressRegex, message) => {
    expect(refusal({ suppressRegex }).message).toContain(message)
  })

  it('refuses flags, which it could not honour', () => {
    expect(refusal({ suppressRegex: /a/i }).message).toContain('a RegExp without flags')
  })
})

describe('what comes before the text', () => {
  const hints = (options: unknown) => {
    const { native, warnings } = parse(options)
    const text = (tokens: number[]) => String.fromCodePoint(...tokens)
    return { hotwords: text(native.hotwords), initialPrompt: text(native.initialPrompt), warnings }
  }
  /** Words of 5 characters with their space. */
  const words = (count: number) => Array.from({ length: count }, (_, i) => `w${String(i).padStart(3, '0')}`)

  it('is kept whole as long as it fits', () => {
    const hotwords = words(20).join(' ')
    const initialPrompt = words(24).join(' ')
    expect(hints({ hotwords, initialPrompt })).toEqual({
      hotwords: ` ${hotwords}`,
      initialPrompt: ` ${initialPrompt}`,
      warnings: [],
    })
  })

  it('has the first hotwords, and a warning that names the first one that was left out', () => {
    const { hotwords, warnings } = hints({ hotwords: words(60).join(' ') })
    expect(hotwords).toBe(` ${words(44).join(' ')}`)
    expect(warnings).toEqual([
      {
        code: 'HOTWORDS_CUT',
        message:
          'hotwords has 300 tokens, and the model takes 223: the last 16 words are left out, from "w044" on',
      },
    ])
    expect(hints({ hotwords: words(45).join(' ') }).warnings[0]?.message).toContain(
      'the last word is left out, from "w044" on',
    )
  })

  it('has the end of a prompt, and a warning that names where it begins', () => {
    const { initialPrompt, warnings } = hints({ initialPrompt: words(60).join(' ') })
    expect(initialPrompt).toBe(` ${words(60).slice(16).join(' ')}`)
    expect(warnings).toEqual([
      {
        code: 'PROMPT_CUT',
        message:
          'initialPrompt has 300 tokens, and the model takes 223: its beginning, before "w016 w017 w018 w019 w020 w021", is left out',
      },
    ])
  })

  it.each([true, false])('never loses hotwords to a long prompt (carried: %s)', (carryInitialPrompt) => {
    const options = { hotwords: 'Dashwood Kennedy', initialPrompt: words(60).join(' '), carryInitialPrompt }
    const { hotwords, initialPrompt, warnings } = hints(options)
    expect(hotwords).toBe(' Dashwood Kennedy')
    expect(initialPrompt).toBe(` ${words(60).slice(19).join(' ')}`)
    expect(warnings).toMatchObject([
      { code: 'PROMPT_CUT', message: expect.stringContaining('takes 206 beside the hotwords') },
    ])
  })

  it('says when nothing of the prompt is left beside the hotwords', () => {
    const { initialPrompt, warnings } = hints({ hotwords: words(60).join(' '), initialPrompt: 'Hello there' })
    expect(initialPrompt).toBe('')
    expect(warnings.map(({ code }) => code)).toEqual(['HOTWORDS_CUT', 'PROMPT_CUT'])
    expect(warnings[1]?.message).toContain('all of it is left out')
  })

  it('cuts a text without spaces between tokens', () => {
    const { initialPrompt, warnings } = hints({ initialPrompt: '中'.repeat(300) })
    expect(initialPrompt).toBe('中'.repeat(223))
    expect(warnings[0]?.message).toContain('the first 78 tokens are left out')
  })

  it('begins with a space, whatever was given', () => {
    expect(hints({ hotwords: '\n Kennedy ', initialPrompt: '  Hm. ' })).toMatchObject({
      hotwords: ' Kennedy',
      initialPrompt: ' Hm.',
    })
  })
})
