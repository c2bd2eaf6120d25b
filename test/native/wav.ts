import { ByteWriter } from '../fixtures/encode.ts'

/** A WAV file in the making. Sizes default to what they should be. */
export interface Wav {
  /** 1 PCM, 3 float, 6 A-law, 7 mu-law, 0xfffe extensible. */
  format: number
  bits: number
  data: Uint8Array
  channels?: number
  sampleRate?: number
  /** Default what channels and bits make. */
  blockAlign?: number
  /** Real format of an extensible one. */
  subFormat?: number
  /** Default 'RIFF'. */
  container?: 'RIFF' | 'RF64'
  riffSize?: number
  dataSize?: number
  formatSize?: number
  /** Chunks between the format and the data. */
  chunks?: readonly [id: string, content: Uint8Array][]
  /** Behind the data. */
  trailer?: Uint8Array
}

const SUB_FORMAT_TAIL = Uint8Array.of(0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71)

export function buildWav(wav: Wav): Uint8Array {
  const { format, bits, data, channels = 1, sampleRate = 16_000, container = 'RIFF', chunks = [] } = wav
  const { blockAlign = (channels * bits) / 8, trailer = new Uint8Array(0) } = wav
  const writer = new ByteWriter()
  const name = (text: string) => writer.bytes(new TextEncoder().encode(text))
  const chunk = (id: string, content: Uint8Array, size = content.length) => {
    name(id)
    writer.u32(size)
    writer.bytes(content)
    if (content.length % 2 === 1) writer.u8(0)
  }

  const head = new ByteWriter()
  head.u16(format)
  head.u16(channels)
  head.u32(sampleRate)
  head.u32(sampleRate * blockAlign)
  head.u16(blockAlign)
  head.u16(bits)
  if (format === 0xfffe) {
    head.u16(22)
    head.u16(bits)
    head.u32(0)
    head.u16(wav.subFormat ?? 1)
    head.bytes(SUB_FORMAT_TAIL)
  }

  name(container)
  const big = container === 'RF64'
  const known = 4 + 8 + head.length + (big ? 36 : 0) + 8 + data.length + trailer.length
  writer.u32(wav.riffSize ?? (big ? 0xffffffff : known + chunks.reduce((n, [, c]) => n + 8 + c.length, 0)))
  name('WAVE')
  if (big) {
    const sizes = new ByteWriter()
    for (const size of [known, data.length, data.length / blockAlign]) {
      sizes.u32(size)
      sizes.u32(0)
    }
    sizes.u32(0)
    chunk('ds64', sizes.finish())
  }
  chunk('fmt ', head.finish(), wav.formatSize)
  for (const [id, content] of chunks) chunk(id, content)
  chunk('data', data, wav.dataSize ?? (big ? 0xffffffff : data.length))
  writer.bytes(trailer)
  return writer.finish()
}

/** Samples -1..1 as integers of 8 (unsigned), 16, 24 or 32 bits. */
export function integers(samples: Float32Array, bits: number): Uint8Array {
  const bytes = new Uint8Array((samples.length * bits) / 8)
  for (const [i, sample] of samples.entries()) {
    let value = Math.round(sample * 2 ** (bits - 1))
    if (bits === 8) value += 128
    for (let byte = 0; byte < bits / 8; byte++) {
      bytes[(i * bits) / 8 + byte] = Math.floor(value / 2 ** (8 * byte)) & 0xff
    }
  }
  return bytes
}

/** G.711: the code of A-law for a sample -1..1. */
function alaw(sample: number): number {
  const value = Math.round(sample * 4096)
  const magnitude = Math.min(value < 0 ? -value - 1 : value, 4095)
  const exponent = magnitude < 32 ? 0 : Math.floor(Math.log2(magnitude)) - 4
  const mantissa = (magnitude >> (exponent === 0 ? 1 : exponent)) & 0x0f
  return ((value < 0 ? 0 : 0x80) | (exponent << 4) | mantissa) ^ 0x55
}

/** What A-law's code stands for. */
function alawValue(code: number): number {
  const bits = code ^ 0x55
  const exponent = (bits >> 4) & 7
  const mantissa = bits & 0x0f
  const magnitude = exponent === 0 ? (mantissa << 1) + 1 : ((mantissa << 1) + 33) << (exponent - 1)
  return ((bits & 0x80 ? 1 : -1) * magnitude) / 4096
}

/** G.711: the code of mu-law for a sample -1..1. */
function mulaw(sample: number): number {
  const value = Math.round(sample * 8192)
  const magnitude = Math.min(Math.abs(value), 8158) + 33
  const exponent = Math.floor(Math.log2(magnitude)) - 5
  const mantissa = (magnitude >> (exponent + 1)) & 0x0f
  return ~((value < 0 ? 0x80 : 0) | (exponent << 4) | mantissa) & 0xff
}

/** What mu-law's code stands for. */
function mulawValue(code: number): number {
  const bits = ~code & 0xff
  const exponent = (bits >> 4) & 7
  const magnitude = ((((bits & 0x0f) << 1) + 33) << exponent) - 33
  return ((bits & 0x80 ? -1 : 1) * magnitude) / 8192
}

/** The codes, and the samples that they stand for. */
export function companded(
  samples: Float32Array,
  law: 'A' | 'mu',
): { codes: Uint8Array; samples: Float32Array } {
  const codes = Uint8Array.from(samples, law === 'A' ? alaw : mulaw)
  return { codes, samples: Float32Array.from(codes, law === 'A' ? alawValue : mulawValue) }
}
