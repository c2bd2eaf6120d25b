import v8 from 'node:v8'
import vm from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AudioBuffer } from '../../../lib/stream/audio-buffer.ts'

v8.setFlagsFromString('--expose-gc')
const collectGarbage = vm.runInNewContext('gc') as () => void

/** A sample that tells its position. */
const sampleAt = (position: number) => (position % 1009) / 1009
const samples = (from: number, count: number) =>
  Float32Array.from({ length: count }, (_, i) => sampleAt(from + i))
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  Buffer.from(buffer, byteOffset, byteLength)

describe('AudioBuffer', () => {
  it('is empty at first', () => {
    const buffer = new AudioBuffer()
    expect([buffer.start, buffer.end]).toEqual([0, 0])
    expect(buffer.slice(0, 100)).toEqual(new Float32Array())
  })

  it('has what a plain array has, whatever is appended and released', () => {
    const step = fc.oneof(
      fc.record({ append: fc.integer({ min: 0, max: 40_000 }) }),
      fc.record({ release: fc.double({ min: -0.2, max: 1.2, noNaN: true }) }),
    )
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.infiniteStream(fc.double({ min: -0.1, max: 1.1 })),
        (steps, places) => {
          const buffer = new AudioBuffer()
          let start = 0
          let end = 0
          for (const each of steps) {
            if ('append' in each) {
              buffer.append(samples(end, each.append))
              end += each.append
            } else {
              const position = Math.round(start + each.release * (end - start))
              buffer.release(position)
              start = Math.max(start, Math.min(position, end))
            }
            expect([buffer.start, buffer.end]).toEqual([start, end])
            const [from = 0, to = 0] = [places.next().value, places.next().value].map((share) =>
              Math.round(start + (Number.isNaN(share) ? 0 : share) * (end - start)),
            )
            const [first, last] = [Math.max(from, start), Math.min(to, end)]
            const expected = samples(first, Math.max(last - first, 0))
            expect(Buffer.compare(bytesOf(buffer.slice(from, to)), bytesOf(expected))).toBe(0)
          }
        },
      ),
    )
  })

  it('gives copies', () => {
    const buffer = new AudioBuffer()
    const appended = samples(0, 100)
    buffer.append(appended)
    appended.fill(0)
    const copy = buffer.slice(0, 100)
    buffer.release(50)
    expect(copy).toEqual(samples(0, 100))
  })

  it('gives back what a long utterance needed', async () => {
    const buffer = new AudioBuffer()
    const before = process.memoryUsage().arrayBuffers
    buffer.append(samples(0, 4_000_000))
    buffer.release(3_999_000)
    expect(buffer.slice(3_999_000, 4_000_000)).toEqual(samples(3_999_000, 1000))
    for (let i = 0; i < 100; i++) {
      collectGarbage()
      await new Promise((resolve) => setImmediate(resolve))
      if (process.memoryUsage().arrayBuffers - before < 1e6) break
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6)
    expect(buffer.end).toBe(4_000_000)
  })
})
