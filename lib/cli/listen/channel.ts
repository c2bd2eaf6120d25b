import { pipeline, type Readable, Transform, type TransformCallback } from 'node:stream'
import type { StreamOptions } from '../../stream/types.ts'
import { UsageError } from '../failures.ts'

type Samples = Required<Pick<StreamOptions, 'channels' | 'format'>>

/**
 * @throws {@link UsageError} for a channel that interleaved samples do not have
 */
export function requireChannel(channel: number, { channels }: Samples): void {
  if (channel < channels) return
  const expected = channels === 1 ? '0 (--channels is 1)' : `an integer from 0 to ${channels - 1}`
  throw new UsageError(`Expected ${expected} for --channel but received ${channel}`)
}

/** One channel of interleaved samples; an error of theirs is one of the result. */
export function pickChannel(samples: Readable, channel: number, { channels, format }: Samples): Readable {
  return pipeline(samples, new ChannelPicker(channel, channels, format === 's16le' ? 2 : 4), () => {})
}

class ChannelPicker extends Transform {
  readonly #start: number
  readonly #bytes: number
  readonly #frame: number
  /** The first bytes of a frame that is not complete. */
  #rest: Buffer = Buffer.alloc(0)

  constructor(channel: number, channels: number, bytes: number) {
    super()
    this.#start = channel * bytes
    this.#bytes = bytes
    this.#frame = channels * bytes
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const frames = Math.floor(bytes.byteLength / this.#frame)
    const picked = Buffer.allocUnsafe(frames * this.#bytes)
    for (let frame = 0; frame < frames; frame++) {
      const from = frame * this.#frame + this.#start
      bytes.copy(picked, frame * this.#bytes, from, from + this.#bytes)
    }
    this.#rest = bytes.subarray(frames * this.#frame)
    done(null, picked)
  }
}
