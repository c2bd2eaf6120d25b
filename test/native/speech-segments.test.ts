import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Endpointer, FRAME } from '../../lib/stream/endpointer.ts'
import { networkPath } from '../../lib/vad/network.ts'
import { packageRoot } from '../../scripts/support/package.mjs'
import { material, scratchFolder } from '../fixtures/material.ts'
import { readWav } from './speech-samples.ts'

let scratch: Awaited<ReturnType<typeof scratchFolder>>
let program: string

beforeAll(async () => {
  scratch = await scratchFolder()
  program = join(scratch.path, 'speech')
  const vad = join(packageRoot, 'binding', 'vad')
  const sources = ['onnx_weights', 'silero', 'silero_weights', 'spectrum', 'speech_segmenter']
  execFileSync('g++', [
    ...['-std=c++17', '-O2', '-D_GLIBCXX_ASSERTIONS', `-I${join(packageRoot, 'binding')}`],
    join(packageRoot, 'test', 'native', 'speech.cpp'),
    ...sources.map((name) => join(vad, `${name}.cpp`)),
    ...['-o', program],
  ])
})
afterAll(() => scratch?.[Symbol.asyncDispose]())

const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

describe('the arithmetic', () => {
  it('is right in each set of instructions, and the same for one column as for many', () => {
    const lines = execFileSync(program, ['kernels'], { encoding: 'utf8' }).trim().split('\n')
    expect(lines[0]).toBe('baseline exact equal exact')
    for (const line of lines) expect(line).toMatch(/^\w+ exact equal exact$/)
  })
})

describe('the network', () => {
  const detect = (samples: Float32Array, chunk: number) => {
    const output = execFileSync(program, ['detect', networkPath(), `${chunk}`], { input: bytesOf(samples) })
    return new Float32Array(output.buffer.slice(output.byteOffset, output.byteOffset + output.length))
  }

  it('does not care how the samples are split', async () => {
    const samples = readWav(await material('jfk.wav'))
    const whole = detect(samples, samples.length)
    expect(whole.length).toBe(Math.ceil(samples.length / 512))
    for (const chunk of [1, 77, 511, 512, 513, 4096, 5000]) expect(detect(samples, chunk)).toEqual(whole)
  })

  it.each([
    ['not a number', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
    ['far too loud', -3e38],
  ])('recovers from a sample that is %s', async (_, bad) => {
    const samples = readWav(await material('jfk.wav'))
    const spoilt = samples.slice()
    spoilt[1000] = bad
    const [clean, after] = [detect(samples, 4096), detect(spoilt, 4096)]
    expect(after.every((value) => value >= 0 && value <= 1)).toBe(true)
    for (let frame = 200; frame < clean.length; frame++)
      expect(Math.abs((after[frame] ?? 2) - (clean[frame] ?? 2))).toBeLessThan(0.2)
  })
})

interface Rules {
  threshold: number
  negative: number
  /** Samples. */
  speech: number
  silence: number
  padding: number
  /** 0: none */
  maximum: number
}

type Span = [start: number, end: number]

/** What the program says: each stretch with the number of frames after which it was known. */
function segment(probabilities: Float32Array, samples: number, rules: Rules) {
  const { threshold, negative, speech, silence, padding, maximum } = rules
  const numbers = [threshold, negative, speech, silence, padding, maximum, samples].map(String)
  const lines = execFileSync(program, ['segment', ...numbers], {
    input: bytesOf(probabilities),
    encoding: 'utf8',
  })
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [known = 0, start = 0, end = 0] = line.split(' ').map(Number)
      return { known, span: [start, Math.min(end, samples)] satisfies Span as Span }
    })
}

/** The same rules, written for a recording that is all there: runs of speech first, then what is too short, then the padding. */
function whole(probabilities: Float32Array, samples: number, rules: Rules): Span[] {
  const runs: Span[] = []
  let start = -1
  let quiet = -1
  for (const [i, probability] of probabilities.entries()) {
    if (probability >= rules.threshold) {
      quiet = -1
      if (start < 0) start = i * 512
    } else if (start >= 0 && probability < rules.negative) {
      if (quiet < 0) quiet = i * 512
      if (i * 512 - quiet >= rules.silence) {
        runs.push([start, quiet])
        start = quiet = -1
      }
    }
  }
  if (start >= 0) runs.push([start, samples])
  const kept = runs.filter(([from, to]) => to - from > rules.speech)
  return kept.map(([from, to], i) => {
    const before = i === 0 ? Number.POSITIVE_INFINITY : (from - (kept[i - 1]?.[1] ?? 0)) / 2
    const after = i === kept.length - 1 ? Number.POSITIVE_INFINITY : ((kept[i + 1]?.[0] ?? 0) - to) / 2
    return [
      Math.max(0, from - Math.min(rules.padding, Math.floor(before))),
      Math.min(samples, to + Math.min(rules.padding, Math.floor(after))),
    ]
  })
}

const probabilities = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.float({ min: 0, max: 1, noNaN: true })), {
    minLength: 1,
    maxLength: 25,
  })
  .map((runs) => Float32Array.from(runs.flatMap(([length, value]) => Array(length).fill(value) as number[])))
const samplesOf = (frames: number, missing: number) => frames * 512 - missing
const rules = fc
  .record({
    threshold: fc.constantFrom(0.25, 0.5, 0.75),
    gap: fc.constantFrom(0, 0.125, 0.25),
    speech: fc.constantFrom(0, 1600, 4000),
    silence: fc.constantFrom(0, 1600, 8000, 32_000),
    padding: fc.constantFrom(0, 480, 1600, 6400),
  })
  .map(({ threshold, gap, ...rest }) => ({ threshold, negative: threshold - gap, ...rest, maximum: 0 }))

describe('stretches of speech', () => {
  it('are found frame by frame as in the whole recording', () => {
    const property = fc.property(
      probabilities,
      fc.integer({ min: 0, max: 511 }),
      rules,
      (values, missing, given) => {
        const samples = samplesOf(values.length, missing)
        const found = segment(values, samples, given)
        expect(found.map(({ span }) => span)).toEqual(whole(values, samples, given))
      },
    )
    fc.assert(property, { numRuns: 300 })
  })

  it('are known as soon as nothing can change them', () => {
    const speech = new Float32Array(300)
    speech.fill(1, 10, 60)
    speech.fill(1, 200, 220)
    const given = { threshold: 0.5, negative: 0.35, speech: 0, silence: 6400, padding: 1600, maximum: 0 }
    const [first, second] = segment(speech, 300 * 512, given)
    expect(first?.span).toEqual([10 * 512 - 1600, 60 * 512 + 1600])
    // 400 ms after the end of the speech, which are 12.5 frames.
    expect(first?.known).toBe(60 + 14)
    expect(second?.span).toEqual([200 * 512 - 1600, 220 * 512 + 1600])
  })

  it('that are too long are cut at their quietest frame', () => {
    const speech = new Float32Array(1000).fill(0.9)
    speech[250] = 0.6
    speech[600] = 0.55
    // A pause that is too early to be worth a cut.
    speech[20] = 0.5
    const given = { threshold: 0.5, negative: 0.35, speech: 0, silence: 6400, padding: 0, maximum: 400 * 512 }
    const found = segment(speech, 1000 * 512, given)
    expect(found.map(({ span }) => span).slice(0, 2)).toEqual([
      [0, 250 * 512 + 256],
      [250 * 512 + 256, 600 * 512 + 256],
    ])
  })

  it('never pass the maximum, and lose nothing by being cut', () => {
    const property = fc.property(
      probabilities,
      rules,
      fc.constantFrom(16_000, 40_000, 100_000),
      (values, given, maximum) => {
        fc.pre(maximum > 2 * given.padding)
        const samples = samplesOf(values.length, 0)
        const found = segment(values, samples, { ...given, maximum }).map(({ span }) => span)
        let last = 0
        for (const [start, end] of found) {
          expect(start).toBeGreaterThanOrEqual(last)
          expect(end).toBeGreaterThan(start)
          expect(end - start).toBeLessThanOrEqual(maximum)
          last = end
        }
        // Each frame of certain speech that would be found without a maximum is found with it.
        const without = whole(values, samples, given)
        for (const [i, value] of values.entries()) {
          const inside = (spans: Span[]) => spans.some(([start, end]) => start <= i * 512 && i * 512 < end)
          if (value >= given.threshold && inside(without)) expect(inside(found)).toBe(true)
        }
      },
    )
    fc.assert(property, { numRuns: 300 })
  })
})

/** What the rules of live streams make of the same probabilities, without what they keep around the speech. */
function utterances(probabilities: Float32Array, rules: Rules): Span[] {
  const endpointer = new Endpointer({
    threshold: rules.threshold,
    negThreshold: rules.negative,
    // A live pause counts its last frame.
    minSilence: rules.silence + FRAME,
    lead: 0,
    tail: 0,
    longest: rules.maximum || Number.POSITIVE_INFINITY,
  })
  const spans: Span[] = []
  for (const [i, probability] of probabilities.entries()) {
    for (const boundary of endpointer.push(probability, (i + 1) * FRAME)) {
      if (boundary.type === 'start') spans.push([boundary.at, Number.NaN])
      const last = spans.at(-1)
      if (boundary.type === 'end' && last !== undefined) last[1] = boundary.at
    }
  }
  // One that begins with a cut within a pause has no speech.
  return spans.filter(([start, end]) => start !== end)
}

// See docs/decisions/0023-two-homes-of-one-rule.md.
describe('a live stream', () => {
  it('has its utterances where a recording has its stretches', () => {
    const property = fc.property(
      probabilities,
      rules,
      fc.constantFrom(0, 16_000, 40_000),
      (values, given, maximum) => {
        // A pause that cuts cannot end is no pause.
        fc.pre(maximum === 0 || maximum > 2 * given.silence + 4 * FRAME)
        const same = { ...given, speech: 0, padding: 0, maximum }
        // To the end of the last pause, which a cut may begin anew.
        const pause = new Array(Math.ceil((2 * given.silence) / FRAME) + 4).fill(-1)
        const ended = Float32Array.from([...values, ...pause])
        const found = segment(ended, ended.length * FRAME, same)
        expect(found.map(({ span }) => span)).toEqual(utterances(ended, same))
      },
    )
    const middle = new Float32Array(40).fill(0.9)
    middle[15] = 0.6
    const given = { threshold: 0.5, negative: 0.35, speech: 0, silence: 1600, padding: 0, maximum: 0 }
    fc.assert(property, { numRuns: 100, examples: [[middle, given, 16_000]] })
  })
})
