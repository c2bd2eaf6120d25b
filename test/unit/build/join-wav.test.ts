import { describe, expect, it } from 'vitest'
import { joinWav } from '../../../scripts/support/join-wav.mjs'

/** A wav file of 16-bit samples, with a chunk of odd length before them. */
function wav(samples: number[], { rate = 16_000, channels = 1, bits = 16 } = {}): Buffer {
  const format = Buffer.alloc(16)
  format.writeUInt16LE(1, 0)
  format.writeUInt16LE(channels, 2)
  format.writeUInt32LE(rate, 4)
  format.writeUInt16LE(bits, 14)
  const data = Buffer.from(Int16Array.from(samples).buffer)
  const chunks = [chunk('fmt ', format), chunk('note', Buffer.from('abc')), chunk('data', data)]
  const body = Buffer.concat([Buffer.from('WAVE'), ...chunks])
  return chunk('RIFF', body)
}

function chunk(name: string, content: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.write(name)
  head.writeUInt32LE(content.length, 4)
  return Buffer.concat([head, content, Buffer.alloc(content.length % 2)])
}

describe('joinWav', () => {
  it('puts pauses of 0.4 to 0.9 s between the clips', () => {
    const joined = joinWav([wav([1, 2]), wav([3]), wav([4, 5, 6])])
    expect(joined.readUInt32LE(40)).toBe(joined.length - 44)
    expect(joined.readUInt32LE(24)).toBe(16_000)
    const samples = Array.from({ length: (joined.length - 44) / 2 }, (_, i) => joined.readInt16LE(44 + 2 * i))
    expect(samples.filter((sample) => sample !== 0)).toEqual([1, 2, 3, 4, 5, 6])
    for (const seconds of [samples.indexOf(3) - 2, samples.indexOf(4) - samples.indexOf(3) - 1].map(
      (n) => n / 16_000,
    )) {
      expect(seconds).toBeGreaterThanOrEqual(0.4)
      expect(seconds).toBeLessThanOrEqual(0.9)
    }
  })

  it('gives the same bytes for the same clips', () => {
    const clips = () => [wav([1]), wav([2])]
    expect(joinWav(clips())).toEqual(joinWav(clips()))
  })

  it.each([{ rate: 8_000 }, { channels: 2 }, { bits: 8 }])('refuses %o', (format) => {
    expect(() => joinWav([wav([1], format)])).toThrow('16 kHz')
  })

  it('refuses a file without samples', () => {
    expect(() => joinWav([chunk('RIFF', Buffer.from('WAVE'))])).toThrow("no chunk 'fmt '")
  })
})
