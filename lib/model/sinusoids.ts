import type { ByteSource } from './source.ts'
import { bytesSource } from './sources.ts'

/** Of OpenAI's `sinusoids()` in whisper/model.py. */
const LONGEST_TIMESCALE = 10_000

/**
 * The positions of Whisper's encoder as f32, [state, context] in ggml order: the sines of a position times falling frequencies, then the
 * cosines.
 */
export function sinusoids(context: number, state: number): ByteSource {
  const half = state / 2
  const step = Math.log(LONGEST_TIMESCALE) / (half - 1)
  const values = new Float32Array(context * state)
  for (let position = 0; position < context; position++) {
    for (let i = 0; i < half; i++) {
      // In single precision, as the original computes it.
      const angle = Math.fround(position * Math.fround(Math.exp(Math.fround(-step * i))))
      values[position * state + i] = Math.sin(angle)
      values[position * state + half + i] = Math.cos(angle)
    }
  }
  return bytesSource(new Uint8Array(values.buffer))
}
