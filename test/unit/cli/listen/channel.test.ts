import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../../../lib/cli/failures.ts'
import { pickChannel, requireChannel } from '../../../../lib/cli/listen/channel.ts'

describe('a channel', () => {
  it('is heard alone, however its samples are cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.nat(4),
        fc.constantFrom('s16le' as const, 'f32le' as const),
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }),
        async (channels, wanted, format, pieces) => {
          const channel = wanted % channels
          const size = format === 's16le' ? 2 : 4
          const all = Buffer.concat(pieces)
          const samples = Array.from({ length: Math.floor(all.length / size) }, (_, i) =>
            all.subarray(i * size, (i + 1) * size),
          )
          // A frame that is cut off at the end is no frame.
          const whole = samples.slice(0, Math.floor(all.length / size / channels) * channels)
          const expected = whole.filter((_, i) => i % channels === channel)
          const picked = pickChannel(Readable.from(pieces), channel, { channels, format })
          expect(Buffer.compare(await buffer(picked), Buffer.concat(expected))).toBe(0)
        },
      ),
    )
  })

  it('fails as the samples do', async () => {
    const samples = new PassThrough()
    const picked = pickChannel(samples, 0, { channels: 2, format: 's16le' })
    const heard = buffer(picked)
    samples.destroy(new Error('unplugged'))
    await expect(heard).rejects.toThrow('unplugged')
  })

  it.each([
    [1, 1, 'Expected 0 (--channels is 1) for --channel but received 1'],
    [2, 2, 'Expected an integer from 0 to 1 for --channel but received 2'],
  ])('%d of %d is none', (channel, channels, message) => {
    expect(() => requireChannel(channel, { channels, format: 's16le' })).toThrow(new UsageError(message))
    requireChannel(channels - 1, { channels, format: 's16le' })
  })
})
