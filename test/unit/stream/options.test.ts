import { describe, expect, it } from 'vitest'
import { WhisperHipError } from '../../../lib/errors.ts'
import { FRAME } from '../../../lib/stream/endpointer.ts'
import { parseStreamOptions } from '../../../lib/stream/options.ts'
import { parseTranscribeOptions } from '../../../lib/transcribe/options.ts'
import { tokenize } from './fakes.ts'

const model = { multilingual: true, languages: ['en', 'de'], vocabularySize: 51_865, tokenize, maxThreads: 4 }
const parse = (options?: unknown) => parseStreamOptions(options, model)

function refusal(options: unknown): WhisperHipError {
  try {
    parse(options)
  } catch (error) {
    expect(error).toBeInstanceOf(WhisperHipError)
    expect((error as WhisperHipError).code).toBe('ERR_INVALID_ARGUMENT')
    return error as WhisperHipError
  }
  throw new Error('the options were accepted')
}

it('has the documented defaults', () => {
  expect(parse()).toEqual({
    sampleRate: 16_000,
    channels: 1,
    format: 's16le',
    policy: 'phrase',
    frameThreshold: 25,
    partials: true,
    step: 0.8 * 16_000,
    network: expect.stringMatching(/^\/.*\.onnx$/),
    endpoints: {
      threshold: 0.5,
      negThreshold: 0.35,
      minSilence: 500 * 16,
      lead: 300 * 16,
      tail: 7 * FRAME,
      longest: 25 * 16_000,
    },
    minSpeech: 100 * 16,
    transcribe: parseTranscribeOptions({ timestamps: 'word' }, model).native,
    warnings: [],
    signal: undefined,
  })
  expect(parse({ vad: true, language: undefined })).toEqual(parse())
})

it('passes every option on', () => {
  const { signal } = new AbortController()
  const careful = {
    language: 'de',
    task: 'translate',
    beamSize: 2,
    temperature: [0, 0.5],
    initialPrompt: 'Zürich',
    hotwords: 'Dashwood',
    suppressTokens: [-1, 5],
    noSpeechThreshold: 0.5,
    logProbThreshold: -2,
    compressionRatioThreshold: null,
    threads: 1,
  }
  const parsed = parse({
    ...careful,
    sampleRate: 48_000,
    channels: 2,
    format: 'f32le',
    policy: 'agreement',
    partials: false,
    step: 2,
    vad: {
      threshold: 0.6,
      negThreshold: 0.2,
      minSpeechDurationMs: 250,
      minSilenceDurationMs: 1000,
      speechPadMs: 100,
      maxSpeechDurationS: 10,
    },
    signal,
  })
  expect(parsed).toMatchObject({
    sampleRate: 48_000,
    channels: 2,
    format: 'f32le',
    policy: 'agreement',
    partials: false,
    step: 32_000,
    endpoints: {
      threshold: 0.6,
      negThreshold: 0.2,
      minSilence: 16_000,
      lead: 1600,
      tail: 4 * FRAME,
      longest: 160_000,
    },
    minSpeech: 4000,
    signal,
  })
  expect(parsed.transcribe).toEqual(parseTranscribeOptions({ ...careful, timestamps: 'word' }, model).native)
})

describe('voice activity', () => {
  const endpoints = (vad: unknown) => parse({ vad }).endpoints

  it('is not looked for when it is off', () => {
    expect(parse({ vad: false })).toMatchObject({
      network: '',
      endpoints: { threshold: -1, negThreshold: -1, longest: 25 * 16_000 },
      minSpeech: 0,
    })
  })

  it.each([
    [0.5, 0.35],
    [0.1, 0.01],
    [0.005, 0.005],
    [1, 0.85],
    [0, 0],
  ])('threshold %f has the lower threshold %f', (threshold, expected) => {
    expect(endpoints({ threshold }).negThreshold).toBeCloseTo(expected)
  })

  it.each([
    [{ speechPadMs: 0 }, 0],
    [{ speechPadMs: 1000 }, 200],
    [{ speechPadMs: 1000, minSilenceDurationMs: 100 }, 50],
    [{ speechPadMs: 100, minSilenceDurationMs: 10_000 }, 100],
  ])('with %j keeps whole frames of about %i ms after the speech', (vad, milliseconds) => {
    const { tail, minSilence } = endpoints(vad)
    expect(tail).toBe(Math.ceil((16 * milliseconds) / FRAME) * FRAME)
    expect(tail).toBeLessThan(minSilence)
  })
})

describe('what is wrong is named:', () => {
  it.each([
    ['sampleRate', [999, 768_001, 44_100.5, '16000', null, Number.NaN]],
    ['channels', [0, 65, 1.5, '2', null]],
    ['format', ['s16', 'wav', 1, null]],
    ['policy', ['localagreement', '', 5, null]],
    ['frameThreshold', [25, null]],
    ['partials', ['yes', 1, null]],
    ['step', [0.1, 11, '1', null, Number.NaN]],
    ['vad', ['yes', 1, null, [], () => {}]],
    ['language', ['klingon', 5]],
    ['task', ['both', null]],
    ['beamSize', [0, 33, 1.5, null]],
    ['temperature', [-1, 2, [], null]],
    ['initialPrompt', [5, 'a\0', null]],
    ['hotwords', [5, ['Dashwood'], null]],
    ['suppressTokens', ['1', [1e9], null]],
    ['noSpeechThreshold', [-1, 2, null]],
    ['logProbThreshold', [1, null]],
    ['compressionRatioThreshold', [0, '2']],
    ['threads', [0, 5, null]],
    ['signal', [{ aborted: false }, null, 1]],
  ] as const)('%s', (name, values) => {
    for (const value of values) expect(refusal({ [name]: value }).message).toContain(name)
  })

  it.each([
    ['threshold', [-0.1, 1.1, '0.5', null]],
    ['negThreshold', [-0.1, 0.6, null]],
    ['minSpeechDurationMs', [-1, 1001, null]],
    ['minSilenceDurationMs', [99, 10_001, null]],
    ['speechPadMs', [-1, 1001, null]],
    ['maxSpeechDurationS', [4.9, 30.1, Number.POSITIVE_INFINITY, null]],
  ] as const)('vad.%s', (name, values) => {
    for (const value of values) expect(refusal({ vad: { [name]: value } }).message).toContain(`vad.${name}`)
  })

  it('in words', () => {
    expect(refusal({ policy: 'agrement' }).message).toBe(
      'Expected "phrase" or "agreement" or "alignatt" for policy but received "agrement" of type string; did you mean agreement?',
    )
  })
})

describe('the threshold of alignatt', () => {
  it('is half a second, or as many positions as are said', () => {
    expect(parse({ policy: 'alignatt' })).toMatchObject({ policy: 'alignatt', frameThreshold: 25 })
    expect(parse({ policy: 'alignatt', frameThreshold: 4 }).frameThreshold).toBe(4)
  })

  it.each([0, 251, 2.5, '25', null])('is not %j', (frameThreshold) => {
    expect(refusal({ policy: 'alignatt', frameThreshold }).message).toContain(
      'an integer from 1 to 250 for frameThreshold',
    )
  })

  it.each([undefined, 'phrase', 'agreement'])('belongs to no other policy (%s)', (policy) => {
    expect(refusal({ policy, frameThreshold: 25 }).message).toBe(
      'Expected no value without policy "alignatt" for frameThreshold but received 25 of type number',
    )
  })
})

describe('misspelt names', () => {
  it.each([
    [{ samplerate: 1 }, 'Unknown option "samplerate" of stream(); did you mean sampleRate?'],
    [{ partial: true }, 'did you mean partials?'],
    [{ vad: { treshold: 1 } }, 'Unknown option "treshold" of vad; did you mean threshold?'],
    [{ vad: { minSilenceDuration: 1 } }, 'did you mean minSilenceDurationMs?'],
    [{ onSegment: () => {} }, 'Unknown option "onSegment" of stream()'],
    [{ timestamps: 'word' }, 'Unknown option "timestamps" of stream()'],
  ])('%j suggest the right ones', (options, message) => {
    expect(refusal(options).message).toContain(message)
  })

  it.each([null, 5, 'phrase', []])('%j is no object of options', (options) => {
    expect(refusal(options).message).toContain('the options of stream()')
  })
})
