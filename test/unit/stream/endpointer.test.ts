import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Boundary, Endpointer, type EndpointOptions, FRAME } from '../../../lib/stream/endpointer.ts'

const MS = 16
const options: EndpointOptions = {
  threshold: 0.5,
  negThreshold: 0.35,
  minSilence: 320 * MS,
  lead: 300 * MS,
  tail: 4 * FRAME,
  longest: 5000 * MS,
}

const frames = (count: number, probability: number): number[] => new Array(count).fill(probability)
const speech = (count: number) => frames(count, 0.9)
const silence = (count: number) => frames(count, 0.1)

/** What is decided at each frame, with the frames counted from 0. */
function decide(probabilities: readonly number[], changed: Partial<EndpointOptions> = {}) {
  const endpointer = new Endpointer({ ...options, ...changed })
  const found = probabilities.flatMap((probability, frame) =>
    endpointer.push(probability, (frame + 1) * FRAME).map((boundary) => ({ frame, ...boundary })),
  )
  return { endpointer, found, end: probabilities.length * FRAME }
}

describe('an utterance', () => {
  it('begins at the first frame of speech, with what came before', () => {
    const { found } = decide([...silence(20), 0.5])
    expect(found).toEqual([
      { frame: 20, type: 'start', at: 20 * FRAME, cut: 20 * FRAME - 300 * MS, goesOn: false },
    ])
  })

  it('begins at the start of the stream where there is not as much before', () => {
    expect(decide(speech(1)).found).toEqual([{ frame: 0, type: 'start', at: 0, cut: 0, goesOn: false }])
    expect(decide([...silence(3), ...speech(1)]).found).toMatchObject([{ at: 3 * FRAME, cut: 0 }])
  })

  it('does not begin below the threshold', () => {
    expect(decide(frames(500, 0.499)).found).toEqual([])
  })

  it('ends after the pause, a little after the speech', () => {
    const { found } = decide([...speech(10), ...silence(10)])
    expect(found.slice(1)).toEqual([
      { frame: 13, type: 'pause', cut: 14 * FRAME },
      { frame: 19, type: 'end', at: 10 * FRAME, cut: 14 * FRAME, spoken: 10 * FRAME, reason: 'silence' },
    ])
    expect(decide([...speech(10), ...silence(9)]).found.at(-1)).toMatchObject({ type: 'pause' })
  })

  it('goes on while its probability is between the thresholds', () => {
    expect(decide([...speech(10), ...frames(100, 0.35)]).found).toMatchObject([{ type: 'start' }])
    // And the pause goes on, too.
    const { found } = decide([...speech(10), ...silence(1), ...frames(15, 0.4), ...silence(1)])
    expect(found.at(-1)).toMatchObject({ type: 'end', frame: 26, at: 10 * FRAME, cut: 14 * FRAME })
  })

  it('goes on after a pause that is too short', () => {
    const { found } = decide([...speech(10), ...silence(9), ...speech(10), ...silence(10)])
    expect(found.map(({ type, frame }) => [type, frame])).toEqual([
      ['start', 0],
      ['pause', 13],
      ['resume', 19],
      ['pause', 32],
      ['end', 38],
    ])
    expect(found.at(-1)).toMatchObject({ at: 29 * FRAME, spoken: 20 * FRAME })
  })

  it('is not asked to resume where it was not paused', () => {
    const { found } = decide([...speech(10), ...silence(3), ...speech(1)])
    expect(found.map(({ type }) => type)).toEqual(['start'])
  })

  it('does not begin before the last one has ended', () => {
    const { found } = decide([...speech(10), ...silence(10), ...speech(1)])
    expect(found.at(-1)).toEqual({ frame: 20, type: 'start', at: 20 * FRAME, cut: 14 * FRAME, goesOn: false })
  })
})

describe('an utterance that is too long', () => {
  const longest = 40 * FRAME

  it('ends in the middle of the quietest frame of its second half, and the next one begins there', () => {
    const probabilities = speech(40)
    probabilities[10] = 0.36
    probabilities[25] = 0.6
    const { found } = decide(probabilities, { longest })
    const cut = 25.5 * FRAME
    expect(found.slice(1)).toEqual([
      { frame: 39, type: 'end', at: cut, cut, spoken: 24 * FRAME, reason: 'max' },
      { frame: 39, type: 'start', at: cut, cut, goesOn: true },
    ])
  })

  it('leaves its rest to the next one', () => {
    const { endpointer } = decide(speech(40), { longest })
    const [end] = endpointer.close(40 * FRAME, 'end')
    expect(end).toMatchObject({ type: 'end', at: 40 * FRAME, cut: 40 * FRAME })
    // All of both: what was spoken is counted once.
    const cutOff = decide(speech(40), { longest }).found[1] as { spoken?: number }
    expect((cutOff.spoken ?? 0) + (end as { spoken: number }).spoken).toBe(40 * FRAME)
  })

  it('leaves the next one a pause that has begun', () => {
    const { found } = decide([...speech(36), ...silence(14)], { longest })
    expect(found.map(({ type, frame }) => [type, frame])).toEqual([
      ['start', 0],
      ['pause', 39],
      ['end', 39],
      ['start', 39],
      ['pause', 43],
      ['end', 49],
    ])
    // The last one of the quietest frames is the newest.
    expect(found[2]).toMatchObject({ reason: 'max', cut: 39.5 * FRAME })
    expect(found[5]).toMatchObject({ reason: 'silence', at: 39.5 * FRAME, spoken: 0 })
  })
})

describe('close', () => {
  it('ends an utterance that goes on, at the last sample', () => {
    const { endpointer, end } = decide(speech(10))
    expect(endpointer.close(end + 100, 'flush')).toEqual([
      { type: 'end', at: end + 100, cut: end + 100, spoken: 10 * FRAME, reason: 'flush' },
    ])
  })

  it('ends it where it paused', () => {
    const { endpointer, found, end } = decide([...speech(10), ...silence(6)])
    const pause = found.find(({ type }) => type === 'pause') as Boundary & { cut: number }
    expect(endpointer.close(end, 'end')).toMatchObject([{ at: 10 * FRAME, cut: pause.cut, reason: 'end' }])
  })

  it('ends it not after the last sample', () => {
    const { endpointer, end } = decide([...speech(10), ...silence(2)])
    expect(endpointer.close(end, 'end')).toMatchObject([{ at: 10 * FRAME, cut: end }])
  })

  it('does nothing where nobody speaks', () => {
    const { endpointer, end } = decide([...speech(10), ...silence(10)])
    expect(endpointer.close(end, 'flush')).toEqual([])
    expect(decide([]).endpointer.close(0, 'end')).toEqual([])
  })

  it('lets the next one begin where it ended, within a frame', () => {
    const { endpointer, end } = decide(speech(10))
    endpointer.close(end + 100, 'flush')
    const start = { type: 'start', at: end + 100, cut: end + 100, goesOn: false }
    expect(endpointer.push(0.9, end + FRAME)).toEqual([start])
  })
})

it('a last frame that is not whole ends with the audio', () => {
  const end = 40 * FRAME - 500
  const { endpointer } = decide(speech(39), { longest: 40 * FRAME - 1 })
  const found = [...endpointer.push(0.4, end), ...endpointer.close(end, 'end')]
  for (const boundary of found) {
    if ('cut' in boundary) expect(boundary.cut).toBeLessThanOrEqual(end)
    if ('at' in boundary) expect(boundary.at).toBeLessThanOrEqual(end)
  }
  const paused = decide([...speech(10), ...silence(3)]).endpointer
  expect(paused.push(0.1, 14 * FRAME - 1)).toEqual([])
})

describe('whatever is heard', () => {
  const probability = fc.oneof(
    fc.constantFrom(0, 0.2, 0.4, 0.6, 1, 0.5, 0.35),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  const run = fc
    .tuple(probability, fc.integer({ min: 1, max: 60 }))
    .map(([value, count]) => frames(count, value))
  const anyOptions = fc
    .record({
      threshold: fc.constantFrom(0.2, 0.5, 1),
      neg: fc.double({ min: 0, max: 1, noNaN: true }),
      minSilenceMs: fc.integer({ min: 100, max: 1000 }),
      padMs: fc.integer({ min: 0, max: 1000 }),
      longestMs: fc.integer({ min: 5000, max: 8000 }),
    })
    .map(
      ({ threshold, neg, minSilenceMs, padMs, longestMs }): EndpointOptions => ({
        threshold,
        negThreshold: neg * threshold,
        minSilence: minSilenceMs * MS,
        lead: padMs * MS,
        tail: Math.ceil((Math.min(padMs, 200, minSilenceMs / 2) * MS) / FRAME) * FRAME,
        longest: longestMs * MS,
      }),
    )

  it('utterances are in order, do not overlap, are not too long, and hold all speech', () => {
    fc.assert(
      fc.property(
        anyOptions,
        fc.array(run, { maxLength: 30 }),
        fc.integer({ min: 0, max: FRAME - 1 }),
        fc.integer({ min: 0, max: 2000 }),
        (chosen, runs, rest, flushedAt) => {
          const probabilities = runs.flat()
          const endpointer = new Endpointer(chosen)
          const found: Boundary[] = []
          for (const [i, value] of probabilities.entries()) {
            if (i === flushedAt) found.push(...endpointer.close(i * FRAME + rest, 'flush'))
            found.push(...endpointer.push(value, (i + 1) * FRAME))
          }
          const end = probabilities.length * FRAME + rest
          found.push(...endpointer.close(end, 'end'))
          expectSound(found, probabilities, chosen, end, flushedAt)
        },
      ),
      { numRuns: 500 },
    )
  })
})

/** Checks what must hold of all boundaries together. */
function expectSound(
  found: readonly Boundary[],
  probabilities: readonly number[],
  { threshold, lead, longest }: EndpointOptions,
  end: number,
  flushedAt: number,
): void {
  const utterances: [number, number][] = []
  let start: number | undefined
  let paused: number | undefined
  let last = 0
  let spoken = 0
  for (const boundary of found) {
    if (boundary.type === 'start') {
      expect(start).toBeUndefined()
      start = boundary.cut
      expect(start).toBeGreaterThanOrEqual(last)
      expect(boundary.at).toBeGreaterThanOrEqual(start)
      expect(boundary.at - start).toBeLessThanOrEqual(lead)
      if (boundary.goesOn) expect([start, boundary.at]).toEqual([last, last])
    } else {
      expect(start).toBeDefined()
      if (boundary.type === 'pause') expect(paused).toBeUndefined()
      if (boundary.type === 'resume') expect(paused).toBeDefined()
      if (boundary.type === 'end') {
        // What was decoded ahead is what is wanted in the end.
        if (paused !== undefined && boundary.reason !== 'max') expect(boundary.cut).toBe(paused)
        expect(boundary.cut).toBeGreaterThanOrEqual(start as number)
        expect(boundary.cut).toBeLessThanOrEqual(end)
        expect(boundary.at).toBeLessThanOrEqual(boundary.cut)
        expect(boundary.cut - (start as number)).toBeLessThanOrEqual(longest)
        utterances.push([start as number, boundary.cut])
        last = boundary.cut
        spoken += boundary.spoken
        start = undefined
      }
      paused = boundary.type === 'pause' ? boundary.cut : undefined
    }
  }
  expect(start).toBeUndefined()
  for (const [i, probability] of probabilities.entries()) {
    // A frame that a flush cut in two belongs to both, or to what was before it.
    if (probability < threshold || i === flushedAt) continue
    const covered = utterances.reduce(
      (sum, [from, to]) => sum + Math.max(Math.min(to, (i + 1) * FRAME) - Math.max(from, i * FRAME), 0),
      0,
    )
    expect(covered, `frame ${i}`).toBe(FRAME)
  }
  expect(spoken).toBe(probabilities.filter((probability) => probability >= threshold).length * FRAME)
}
