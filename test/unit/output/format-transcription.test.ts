import { describe, expect, it } from 'vitest'
import { WhisperHipError } from '../../../lib/errors.ts'
import { formatTranscription } from '../../../lib/output/format-transcription.ts'
import { outputFormats } from '../../../lib/output/formats.ts'
import type { OutputFormat } from '../../../lib/output/types.ts'
import type { Segment, TranscriptionResult } from '../../../lib/transcribe/types.ts'

type Line = [start: number, end: number, text: string]

function resultOf(...lines: Line[]): TranscriptionResult {
  const segments = lines.map(
    ([start, end, text], id): Segment => ({
      id,
      start,
      end,
      text,
      temperature: 0,
      averageLogProbability: -0.25,
      compressionRatio: 1.5,
      noSpeechProbability: 0.1,
      tokens: [],
      language: 'en',
    }),
  )
  return {
    text: lines
      .map(([, , text]) => text)
      .join('')
      .trim(),
    language: 'en',
    languageProbability: 1,
    duration: 30,
    segments,
    warnings: [],
    stats: {
      backend: 'cpu',
      device: 'CPU',
      gpuNodes: 0,
      cpuNodes: 10,
      cpuOperations: ['MUL_MAT'],
      audioSeconds: 30,
      wallSeconds: 1,
      realTimeFactor: 30,
      phases: { decode: 0, mel: 0, vad: 0, encode: 0, prompt: 0, sample: 0 },
    },
  }
}

const write = (format: OutputFormat, ...lines: Line[]) => formatTranscription(resultOf(...lines), format)

const two: Line[] = [
  [0, 2.5, ' Hello there.'],
  [2.5, 4.25, ' How are you?'],
]

describe('the formats', () => {
  it('srt', () => {
    expect(write('srt', ...two)).toBe(
      '1\n00:00:00,000 --> 00:00:02,500\nHello there.\n\n2\n00:00:02,500 --> 00:00:04,250\nHow are you?\n\n',
    )
  })

  it('vtt', () => {
    expect(write('vtt', ...two)).toBe(
      'WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nHello there.\n\n00:00:02.500 --> 00:00:04.250\nHow are you?\n\n',
    )
  })

  it('lrc', () => {
    expect(write('lrc', ...two)).toBe('[00:00.00]Hello there.\n[00:02.50]How are you?\n')
  })

  it('tsv', () => {
    expect(write('tsv', ...two)).toBe('start\tend\ttext\n0\t2500\tHello there.\n2500\t4250\tHow are you?\n')
  })

  it('txt', () => {
    expect(write('txt', ...two)).toBe('Hello there.\nHow are you?\n')
  })

  it('json is the result', () => {
    expect(JSON.parse(write('json', ...two))).toEqual(resultOf(...two))
    expect(write('json', ...two)).toMatch(/}\n$/)
  })

  it('are those of the type', () => {
    expect(outputFormats.toSorted()).toEqual(['json', 'lrc', 'srt', 'tsv', 'txt', 'vtt'])
  })
})

describe('times', () => {
  it.each<[number, string]>([
    [0, '00:00:00,000'],
    [0.0004, '00:00:00,000'],
    [0.0006, '00:00:00,001'],
    [59.9994, '00:00:59,999'],
    [59.9996, '00:01:00,000'],
    [3599.9996, '01:00:00,000'],
    [3661.001, '01:01:01,001'],
    [86_400, '24:00:00,000'],
    [360_000, '100:00:00,000'],
    [999_999.9996, '277:46:40,000'],
  ])('%d s is %s', (seconds, written) => {
    expect(write('srt', [seconds, seconds + 1, 'x']).split('\n')[1]).toMatch(new RegExp(`^${written} --> `))
    expect(write('vtt', [seconds, seconds + 1, 'x']).split('\n')[2]).toMatch(
      new RegExp(`^${written.replace(',', '\\.')} --> `),
    )
  })

  it.each<[number, string]>([
    [0, '00:00.00'],
    [59.994, '00:59.99'],
    [59.996, '01:00.00'],
    [3599.996, '60:00.00'],
    [7261.5, '121:01.50'],
    [360_000, '6000:00.00'],
  ])('%d s is [%s] in lyrics', (seconds, written) => {
    expect(write('lrc', [seconds, seconds + 1, 'x'])).toBe(`[${written}]x\n`)
  })

  it('round to the nearest millisecond in a table', () => {
    expect(write('tsv', [59.9996, 60.00049, 'x'])).toContain('\n60000\t60000\tx\n')
  })

  it.each(['srt', 'vtt'] as const)('%s: a subtitle ends after it begins', (format) => {
    expect(write(format, [2, 2, 'x'])).toMatch(/00:00:02[,.]000 --> 00:00:02[,.]001/)
    expect(write(format, [59.9998, 60.0001, 'x'])).toMatch(/00:01:00[,.]000 --> 00:01:00[,.]001/)
    expect(write(format, [59.999, 59.999, 'x'])).toMatch(/00:00:59[,.]999 --> 00:01:00[,.]000/)
  })
})

describe('texts', () => {
  it('are escaped in vtt: tags, entities and the arrow of the times', () => {
    const text = write('vtt', [0, 1, ' Q&A <b>x</b> &amp; a --> b'])
    expect(text).toBe(
      'WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nQ&amp;A &lt;b&gt;x&lt;/b&gt; &amp;amp; a --&gt; b\n\n',
    )
  })

  it.each(['-->', '--->', '00:00:01,000 --> 00:00:02,000'])('%s is no arrow of times in srt', (text) => {
    expect(write('srt', [0, 1, text]).match(/-->/g)).toHaveLength(1)
  })

  it('keep their ampersands and brackets in srt, which has no escapes', () => {
    expect(write('srt', [0, 1, 'Q&A <3'])).toContain('\nQ&A <3\n')
  })

  it.each(['\n', '\r\n', '\r', '\u2028', '\u0085', '\v'])('broken by %j', (end) => {
    const text = ` one ${end}${end} two${end}`
    expect(write('srt', [0, 1, text])).toBe('1\n00:00:00,000 --> 00:00:01,000\none\ntwo\n\n')
    expect(write('vtt', [0, 1, text])).toMatch(/\none\ntwo\n\n$/)
    expect(write('txt', [0, 1, text])).toBe('one two\n')
    expect(write('lrc', [0, 1, text])).toBe('[00:00.00]one two\n')
    expect(write('tsv', [0, 1, text])).toBe('start\tend\ttext\n0\t1000\tone two\n')
  })

  it('never end a column', () => {
    expect(write('tsv', [0, 1, 'a\tb']).split('\n')[1]?.split('\t')).toEqual(['0', '1000', 'a b'])
  })

  it('that begin with a bracket are no times of lyrics', () => {
    expect(write('lrc', [0, 1, ' [00:05.00] no'])).toBe('[00:00.00] [00:05.00] no\n')
  })

  it('of any length and script stay whole', () => {
    const long = `${'語'.repeat(5000)} 👩‍👩‍👧 end`
    for (const format of ['srt', 'vtt', 'txt', 'lrc', 'tsv'] as const)
      expect(write(format, [0, 30, long]).includes(long)).toBe(true)
  })
})

describe('segments without text', () => {
  const lines: Line[] = [
    [0, 1, ' One.'],
    [1, 2, ' \n '],
    [2, 3, ''],
    [3, 4, ' Two.'],
  ]

  it('are left out, and leave no gap in the numbers', () => {
    expect(write('srt', ...lines)).toBe(
      '1\n00:00:00,000 --> 00:00:01,000\nOne.\n\n2\n00:00:03,000 --> 00:00:04,000\nTwo.\n\n',
    )
    expect(write('txt', ...lines)).toBe('One.\nTwo.\n')
    expect(write('tsv', ...lines).split('\n')).toHaveLength(4)
  })

  it('stay in json', () => {
    expect(JSON.parse(write('json', ...lines)).segments).toHaveLength(4)
  })

  it.each([
    ['srt', ''],
    ['vtt', 'WEBVTT\n\n'],
    ['txt', ''],
    ['lrc', ''],
    ['tsv', 'start\tend\ttext\n'],
  ] as const)('and nothing else: %s is %j', (format, text) => {
    expect(write(format)).toBe(text)
    expect(write(format, [0, 1, ' '])).toBe(text)
  })
})

describe('wrong arguments', () => {
  const message = (run: () => unknown): string => {
    try {
      run()
    } catch (error) {
      expect(error).toBeInstanceOf(WhisperHipError)
      expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
      return (error as WhisperHipError).message
    }
    throw new Error('nothing was thrown')
  }

  it('name the nearest format', () => {
    expect(message(() => formatTranscription(resultOf(), 'str' as OutputFormat))).toMatch(
      /for format but received "str" of type string; did you mean srt\?$/,
    )
    expect(message(() => formatTranscription(resultOf(), 'toString' as OutputFormat))).toContain('format')
  })

  it.each([undefined, null, 'text', {}, { segments: 'x' }])('%j is no result', (value) => {
    expect(message(() => formatTranscription(value as never, 'srt'))).toContain('for result but received')
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '1', undefined])('%s is no time', (time) => {
    const result = resultOf([0, 1, 'x'])
    const [segment] = result.segments as [Segment]
    segment.end = time as number
    expect(message(() => formatTranscription(result, 'vtt'))).toContain('for result.segments[0].end')
  })
})
