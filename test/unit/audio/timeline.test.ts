import { describe, expect, it } from 'vitest'
import { parsePacket, Timeline } from '../../../lib/audio/timeline.ts'

const SECOND = 16_000

/** Packets of a tenth of a second at given times. */
function timelineOf(...times: number[]): Timeline {
  const timeline = new Timeline()
  for (const time of times) timeline.add(time * SECOND, SECOND / 10)
  return timeline
}

const steps = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i / 10)

describe('the clock of a container', () => {
  it('has silence where sound begins late, and where it is missing', () => {
    const timeline = timelineOf(...steps(4, 10), ...steps(8, 10))
    expect(timeline.finish(false)).toEqual({
      gaps: [
        { at: 0, silence: 4 * SECOND, dropped: 0 },
        { at: SECOND, silence: 3 * SECOND, dropped: 0 },
      ],
      warnings: [],
    })
    expect(timeline.end).toBeCloseTo(9)
  })

  it('is not moved by time stamps that are a little off, however long', () => {
    const times = steps(0, 3000).map((time, i) => time + 0.04 * Math.sin(i))
    expect(timelineOf(...times).finish(false).gaps).toEqual([])
  })

  it('follows small losses that add up', () => {
    const times = steps(0, 100).map((time, i) => time + 0.03 * i)
    const timeline = timelineOf(...times)
    expect(timeline.end).toBeGreaterThan((times.at(-1) as number) - 0.1)
  })

  it('does not follow time stamps that begin anew, or jump for hours', () => {
    const joined = timelineOf(...steps(0, 100), ...steps(0, 10), ...steps(3, 10))
    expect(joined.finish(false).gaps).toEqual([{ at: 11 * SECOND, silence: 2 * SECOND, dropped: 0 }])
    const jump = timelineOf(...steps(0, 10), ...steps(100_000, 10), ...steps(100_003, 10))
    const { gaps, warnings } = jump.finish(false)
    expect(gaps).toEqual([{ at: 2 * SECOND, silence: 2 * SECOND, dropped: 0 }])
    expect(warnings).toMatchObject([{ code: 'AUDIO_TIME_JUMP', start: 1 }])
  })

  it('tells damage, with what sounds in its middle', () => {
    const { gaps, warnings } = timelineOf(...steps(0, 20), ...steps(4, 3), ...steps(6, 20)).finish(true)
    expect(gaps).toEqual([{ at: 2 * SECOND, silence: 4 * SECOND, dropped: 0.3 * SECOND }])
    expect(warnings).toEqual([
      {
        code: 'AUDIO_DAMAGED',
        message: 'The recording is damaged from 2.00 s to 6.00 s: what cannot be decoded there is silence',
        start: 2,
        end: 6,
      },
    ])
  })

  it('takes a late beginning for no damage', () => {
    expect(timelineOf(...steps(4, 20)).finish(true).warnings).toEqual([])
  })
})

describe('a line of framecrc', () => {
  it('is a packet, or none', () => {
    expect(parsePacket('0,       1024,       2048,     1000,     2000, 0xd0dbda75')).toEqual({
      time: 2048,
      frames: 1000,
      bytes: 2000,
    })
    for (const line of ['#tb 0: 1/16000', '', 'nonsense', '0, NOPTS, NOPTS, 1, 2, 0x0'])
      expect(parsePacket(line)).toBeUndefined()
  })
})
