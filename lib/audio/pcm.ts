import { types } from 'node:util'
import { checkAttached, checkEnum, checkInteger, checkOptions, invalidArgument } from '../check.ts'
import { unshared } from '../kinds.ts'
import type { NativeByteStore } from '../native.ts'
import { Pacer } from '../pacer.ts'
import { ByteReader, checkLength, sliceBytes } from './bytes.ts'
import { ChunkReader, isChunkStream } from './chunks.ts'
import { undecodable } from './failures.ts'

/** How the samples in a store are to be read. */
export interface PcmFormat {
  format: 'f32' | 's16'
  sampleRate: number
  channels: number
}

/** What bare floats are: the form that Whisper hears. */
export const whisperFormat: PcmFormat = { format: 'f32', sampleRate: 16_000, channels: 1 }

/** Copies samples in memory, `{ samples, sampleRate, channels }`, into a store. */
export async function storeSamples(
  input: object,
  store: NativeByteStore,
  signal: AbortSignal,
): Promise<PcmFormat> {
  const given = checkOptions(input, ['samples', 'sampleRate', 'channels'], 'audio')
  const { samples } = given
  if (!types.isFloat32Array(samples) && !types.isInt16Array(samples)) {
    throw invalidArgument('a Float32Array or Int16Array', 'audio.samples', samples)
  }
  checkAttached(samples, 'audio.samples')
  const { sampleRate, channels } = checkRates(given)
  if (samples.length % channels !== 0) {
    throw invalidArgument(
      `a multiple of ${channels} samples (one for each channel)`,
      'audio.samples',
      samples,
    )
  }
  const pacer = new Pacer(signal)
  const { length } = samples
  const step = sliceBytes / samples.BYTES_PER_ELEMENT
  for (let at = 0; at < length; at += step) {
    if (pacer.due) await pacer.turn()
    checkLength(samples, length)
    append(store, unshared(samples.subarray(at, at + step)), at)
  }
  return { format: types.isFloat32Array(samples) ? 'f32' : 's16', sampleRate, channels }
}

/** Reads a stream of samples, `{ stream, format, sampleRate, channels }`, to its end into a store. */
export async function storeSampleStream(
  input: object,
  store: NativeByteStore,
  signal: AbortSignal,
): Promise<PcmFormat> {
  const given = checkOptions(input, ['stream', 'format', 'sampleRate', 'channels'], 'audio')
  const { stream } = given
  if (typeof stream !== 'object' || stream === null || !isChunkStream(stream)) {
    throw invalidArgument('a stream', 'audio.stream', stream)
  }
  const format = checkEnum(given.format, 'audio.format', ['s16le', 'f32le'])
  const { sampleRate, channels } = checkRates(given)
  const name = 'the audio stream'
  const bytes = new ByteReader(new ChunkReader(stream, name, signal), name)
  try {
    const frame = channels * (format === 's16le' ? 2 : 4)
    const read =
      format === 's16le'
        ? await storeBytes(bytes, store, signal)
        : await storeFloatBytes(bytes, store, signal)
    if (read % frame !== 0) {
      throw undecodable(name, `it ends inside a frame (${read} bytes are no multiple of ${frame})`)
    }
  } finally {
    bytes.close()
  }
  return { format: format === 's16le' ? 's16' : 'f32', sampleRate, channels }
}

/** Reads a stream of `Float32Array` chunks, of which the first was taken already, to its end into a store. */
export async function storeFloatChunks(
  first: Float32Array,
  chunks: ChunkReader,
  store: NativeByteStore,
  signal: AbortSignal,
): Promise<void> {
  const pacer = new Pacer(signal)
  let done = 0
  for (let chunk: unknown = first, i = 0; chunk !== undefined; chunk = await chunks.next(), i++) {
    if (!types.isFloat32Array(chunk))
      throw invalidArgument('a Float32Array', `chunk ${i} of the audio stream`, chunk)
    checkAttached(chunk, `chunk ${i} of the audio stream`)
    const { length } = chunk
    const step = sliceBytes / 4
    for (let at = 0; at < length; at += step) {
      if (pacer.due) await pacer.turn()
      checkLength(chunk, length)
      append(store, unshared(chunk.subarray(at, at + step)), done + at)
    }
    done += length
  }
}

/** Copies bytes as they are into a store, and returns how many. */
export async function storeBytes(
  bytes: ByteReader,
  store: NativeByteStore,
  signal: AbortSignal,
): Promise<number> {
  const pacer = new Pacer(signal)
  let done = 0
  for (let chunk = await bytes.next(); chunk !== undefined; chunk = await bytes.next()) {
    if (pacer.due) await pacer.turn()
    store.append(unshared(chunk), false)
    done += chunk.length
  }
  return done
}

/** Floats of a byte stream may be cut anywhere, and have to be aligned to be looked at. */
async function storeFloatBytes(
  bytes: ByteReader,
  store: NativeByteStore,
  signal: AbortSignal,
): Promise<number> {
  const pacer = new Pacer(signal)
  let done = 0
  let rest = new Uint8Array(0)
  for (let chunk = await bytes.next(); chunk !== undefined; chunk = await bytes.next()) {
    if (pacer.due) await pacer.turn()
    const joined = new Uint8Array(rest.length + chunk.length)
    joined.set(rest)
    joined.set(chunk, rest.length)
    const whole = joined.length >> 2
    append(store, new Float32Array(joined.buffer, 0, whole), (done - rest.length) / 4)
    rest = joined.slice(whole * 4)
    done += chunk.length
  }
  return done
}

function append(store: NativeByteStore, samples: Float32Array | Int16Array, position: number): void {
  const bad = store.append(samples, true)
  if (bad < 0) return
  throw invalidArgument('a finite number', `sample ${position + bad} of audio`, samples[bad])
}

function checkRates({ sampleRate, channels }: Record<string, unknown>): {
  sampleRate: number
  channels: number
} {
  return {
    sampleRate: checkInteger(sampleRate, 'audio.sampleRate', 1000, 768_000),
    channels: checkInteger(channels, 'audio.channels', 1, 64),
  }
}
