import { types } from 'node:util'
import { sniffInSamples } from '../audio/sniff.ts'
import { checkAttached } from '../check.ts'
import { WhisperHipError } from '../errors.ts'
import type { SampleFormat } from './types.ts'

/** Bytes that are looked at together: half a second of the usual format. A multiple of all frames of two powers. */
const blockBytes = 16_384
/** How many such blocks with sound are looked at. */
const mostBlocks = 16
/** Zeros that are silence rather than the beginning of a file. */
const leastSilence = 64

export interface ExpectedSamples {
  format: SampleFormat
  channels: number
}

/** Names of typed arrays by the format that holds them. */
const arrays: Readonly<Record<string, SampleFormat | undefined>> = {
  Float32Array: 'f32le',
  Int16Array: 's16le',
}

/**
 * Tells samples of another type from those that a stream is configured for: Node makes bytes of every typed array.
 * @throws `ERR_INVALID_ARGUMENT`
 */
export function checkChunkType(chunk: unknown, { format }: ExpectedSamples): void {
  if (!types.isTypedArray(chunk) && !types.isDataView(chunk)) return
  checkAttached(chunk, 'the live audio')
  const name = types.isDataView(chunk) ? 'DataView' : chunk[Symbol.toStringTag]
  if (name === undefined || ['Uint8Array', 'DataView', 'Uint8ClampedArray'].includes(name)) return
  const of = arrays[name]
  if (of === format) return
  throw refusal(
    `The stream is configured for ${format} and was given ${name.startsWith('I') ? 'an' : 'a'} ${name}`,
    of === undefined
      ? `Write bytes, or ${format === 's16le' ? 'an Int16Array' : 'a Float32Array'}`
      : `Set format: '${of}'`,
  )
}

/**
 * Tells what is certainly no PCM of the given format, by the first bytes of a stream. Silence, noise and sound of any loudness pass: several signs
 * have to agree.
 */
export class InputGuard {
  readonly #expected: ExpectedSamples
  /** A block in the making, from the beginning of a frame. */
  #block = Buffer.alloc(0)
  /** Bytes before it. */
  #position = 0
  /** Blocks with sound so far. */
  #blocks = 0

  constructor(expected: ExpectedSamples) {
    this.#expected = expected
  }

  /** @throws `ERR_INVALID_ARGUMENT` that names what it is, and what to do */
  check(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && this.#blocks < mostBlocks; ) {
      const piece = chunk.subarray(at, at + blockBytes - this.#block.length)
      at += piece.length
      this.#block = Buffer.concat([this.#block, piece])
      this.#skipSilence()
      if (this.#position === 0) refuseFile(this.#block)
      if (this.#block.length < blockBytes) continue
      this.#refuseSamples()
      this.#blocks += 1
      this.#position += this.#block.length
      this.#block = Buffer.alloc(0)
    }
  }

  /** There are no more bytes. */
  end(): void {
    if (this.#blocks === 0) this.#refuseSamples()
  }

  /** Silence says nothing: what comes after it is looked at. A few zeros may as well be the beginning of a file. */
  #skipSilence(): void {
    const first = this.#block.findIndex((byte) => byte !== 0)
    const silent = first < 0 ? this.#block.length : first
    if (silent < leastSilence) return
    const skipped = silent - (silent % (8 * this.#expected.channels))
    this.#position += skipped
    this.#block = this.#block.subarray(skipped)
  }

  #refuseSamples(): void {
    const other = otherSamples(this.#block, this.#expected, 1000)
    if (other !== undefined) throw notThese(this.#expected, other)
  }

  /**
   * What to say in place of the error about samples that no sound has.
   * @param bytes where they are, from the beginning of a frame
   */
  explain(bytes: Uint8Array, error: unknown): unknown {
    const other = otherSamples(bytes, this.#expected, 16)
    return other === undefined ? error : notThese(this.#expected, other)
  }
}

function refuseFile(head: Uint8Array): void {
  const text = textOf(head)
  if (text !== undefined)
    throw refusal(`Expected PCM samples for the live audio but received ${text[0]}`, text[1])
  const file = sniffInSamples(head)
  if (file === undefined) return
  const message = `Expected PCM samples for the live audio but received ${file}`
  throw new WhisperHipError('ERR_INVALID_ARGUMENT', message, {
    advice: [
      'Decode it first, e.g. with ffmpeg -i INPUT -f s16le -ar 16000 -ac 1 -, or use transcribe() for files',
    ],
  })
}

function notThese({ format }: ExpectedSamples, [what, advice]: readonly [string, string]): WhisperHipError {
  return refusal(`The stream is configured for ${format} and was given ${what}`, advice)
}

function refusal(problem: string, advice: string): WhisperHipError {
  const message = `${problem}: ${advice.charAt(0).toLowerCase()}${advice.slice(1)}`
  return new WhisperHipError('ERR_INVALID_ARGUMENT', message)
}

/**
 * What the samples are in truth, and what to do about it.
 * @param least fewer samples say nothing for sure
 */
function otherSamples(
  head: Uint8Array,
  { format, channels }: ExpectedSamples,
  least: number,
): readonly [string, string] | undefined {
  return format === 'f32le'
    ? insteadOfFloats(head, channels, least)
    : insteadOfIntegers(head, channels, least)
}

function insteadOfFloats(
  head: Uint8Array,
  channels: number,
  least: number,
): readonly [string, string] | undefined {
  const heard = floatsOf(head).filter((value) => value !== 0)
  if (heard.length < least) return undefined
  // No sound has numbers like that. Two integers make a float of any size at all.
  const wild = heard.filter((value) => !(Math.abs(value) <= 1e9)).length
  const tiny = heard.filter((value) => Math.abs(value) < 1e-20).length
  if (wild > heard.length / 50 || tiny > heard.length / 2) {
    const turned = floatsOf(swapped(head, 4)).filter((value) => value !== 0)
    if (turned.every((value) => Math.abs(value) < 4 && Math.abs(value) > 1e-12))
      return ['big-endian floats', 'Swap their bytes, e.g. with Buffer.swap32()']
    if (wild <= heard.length / 50) return undefined
    return smoothness(integersOf(head), channels) < 0.7
      ? ['16-bit integers', "Set format: 's16le'"]
      : ['bytes that are no floats', "Set format: 's16le' if they are 16-bit integers"]
  }
  const loud = heard.filter((value) => Math.abs(value) > 50)
  const whole = heard.every((value) => Math.abs(value) <= 32_768)
  return loud.length > heard.length / 20 && whole
    ? ['floats that go up to 32768 rather than 1', 'Divide them by 32768']
    : undefined
}

function insteadOfIntegers(
  head: Uint8Array,
  channels: number,
  least: number,
): readonly [string, string] | undefined {
  const samples = integersOf(head)
  if (samples.length < 2 * least) return undefined
  const heard = floatsOf(head).filter((value) => value !== 0)
  // Of two integers the second would have to be of one of few sizes, with both signs, and the first of any other.
  const isPlausible = (value: number) => Math.abs(value) <= 2 && Math.abs(value) > 1e-10
  const plausible = heard.filter(isPlausible)
  const negative = plausible.filter((value) => value < 0).length / heard.length
  const lower = samples.filter((_, i) => i % 2 === 0).filter((_, i) => samples[2 * i + 1] !== 0)
  const alike = floatsOf(
    new Uint8Array(
      Int16Array.from({ length: 2 * lower.length }, (_, i) => (i % 2 === 0 ? 0 : (lower[i >> 1] as number)))
        .buffer,
    ),
  )
  if (
    heard.length >= least / 2 &&
    plausible.length > 0.999 * heard.length &&
    negative > 0.05 &&
    negative < 0.95 &&
    alike.filter(isPlausible).length < lower.length / 2 &&
    new Set(samples.filter((_, i) => i % 2 === 1)).size > 32
  )
    return ['32-bit floats', "Set format: 'f32le'"]
  if (new Set(samples).size < 64) return undefined
  const loudness = smoothness(samples, channels)
  const turned = smoothness(integersOf(swapped(head, 2)), channels)
  // What sounds like noise, and is smooth when its bytes change places, is that.
  if (loudness > 0.8 && turned < 0.7 * loudness && turned < 0.6)
    return ['big-endian integers', 'Swap their bytes, e.g. with Buffer.swap16()']
  return loudness > 0.15 &&
    loudness < 0.9 &&
    Math.abs(loudness - turned) < 0.05 * loudness &&
    isBytewise(head)
    ? insteadOfBytes(head, channels)
    : undefined
}

/** Quiet integers of one byte are near 128; of the logarithmic kinds the smoother reading is the right one. */
function insteadOfBytes(head: Uint8Array, channels: number): readonly [string, string] {
  const rough = (read: (byte: number) => number) => smoothness(Int16Array.from(head, read), channels)
  const quiet = head.filter((byte) => byte >= 0x80 && byte < 0xa0).length
  const [format, what] =
    quiet > head.length / 5
      ? ['u8', '8-bit integers']
      : rough(fromMuLaw) < rough(fromALaw)
        ? ['mulaw', '8-bit mu-law samples']
        : ['alaw', '8-bit A-law samples']
  return [what, `Decode them to 16-bit integers first, e.g. with ffmpeg -f ${format}`]
}

/** Whether the bytes at even and odd places are alike, as those of a 16-bit integer never are unless they are noise. */
function isBytewise(head: Uint8Array): boolean {
  // The upper bytes of quiet integers are all 0 or 255, and so may be the lower ones.
  if (new Set(head.filter((_, i) => i % 2 === 1)).size < 40) return false
  const counts = [new Array<number>(16).fill(0), new Array<number>(16).fill(0)] as const
  head.forEach((byte, i) => {
    const count = counts[(i & 1) as 0 | 1]
    count[byte >> 4] = (count[byte >> 4] as number) + 1
  })
  const distance = counts[0].reduce((sum, count, i) => sum + Math.abs(count - (counts[1][i] as number)), 0)
  return distance < head.length / 20
}

/** Base64: no byte is anything but that. */
function textOf(head: Uint8Array): readonly [string, string] | undefined {
  if (head.length < 256 || new Set(head).size < 8) return undefined
  const base64 = head.every((byte) => /[\w+/=\r\n-]/.test(String.fromCharCode(byte)))
  return base64 ? ['base64 text', "Decode it first: Buffer.from(text, 'base64')"] : undefined
}

function floatsOf(head: Uint8Array): Float32Array {
  return new Float32Array(copyOf(head, 4).buffer)
}

function integersOf(head: Uint8Array): Int16Array {
  return new Int16Array(copyOf(head, 2).buffer)
}

function swapped(head: Uint8Array, size: 2 | 4): Uint8Array {
  const bytes = copyOf(head, size)
  const view = Buffer.from(bytes.buffer)
  if (size === 2) view.swap16()
  else view.swap32()
  return bytes
}

/** Whole samples, in memory of their own: those of a Buffer may be aligned in any way. */
function copyOf(head: Uint8Array, size: 2 | 4): Uint8Array<ArrayBuffer> {
  return new Uint8Array(head.subarray(0, head.length - (head.length % size)))
}

/** Mean step from sample to sample of a channel over mean size: little for sound, above 1 for noise. */
function smoothness(samples: Int16Array, channels: number): number {
  let steps = 0
  let sizes = 0
  for (let i = channels; i < samples.length; i++) {
    steps += Math.abs((samples[i] as number) - (samples[i - channels] as number))
    sizes += Math.abs(samples[i] as number)
  }
  return sizes === 0 ? 0 : steps / sizes
}

/** ITU-T G.711. */
function fromMuLaw(code: number): number {
  const bits = ~code & 0xff
  const size = (((bits & 15) << 3) + 0x84) << ((bits >> 4) & 7)
  return bits & 0x80 ? 0x84 - size : size - 0x84
}

/** ITU-T G.711. */
function fromALaw(code: number): number {
  const bits = code ^ 0x55
  const exponent = (bits >> 4) & 7
  const mantissa = ((bits & 15) << 4) + 8
  const size = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1)
  return bits & 0x80 ? size : -size
}
