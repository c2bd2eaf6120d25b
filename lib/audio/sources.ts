import { types } from 'node:util'
import { invalidArgument } from '../check.ts'
import type { NativeAddon, NativeAudioSource } from '../native.ts'
import type { Warning } from '../warnings.ts'
import { ByteReader, slicesOf } from './bytes.ts'
import { ChunkReader, isChunkStream } from './chunks.ts'
import { undecodable } from './failures.ts'
import { decodeWithFfmpeg, type FfmpegInput } from './ffmpeg.ts'
import { id3Length } from './mp3.ts'
import { sniffFile, toAudioPath } from './path.ts'
import { storeBytes, storeFloatChunks, storeSampleStream, storeSamples, whisperFormat } from './pcm.ts'
import { headLength, type Sniffed, sniff } from './sniff.ts'
import { spool } from './spool.ts'
import type { AudioInput } from './types.ts'

/** Audio that the addon can take. */
export interface PreparedAudio {
  source: NativeAudioSource
  /** Seconds that ffmpeg took, 0 where the addon decodes. */
  decodeSeconds: number
  /** What was wrong with it, as far as this side can tell. */
  warnings?: Warning[]
}

type Native = Pick<NativeAddon, 'ByteStore'>

/**
 * Turns what a user passes as audio into what the addon takes: a path to decode, the bytes of a file in native memory, or
 * samples in native memory. Copies at most 1 MiB between two turns of the event loop.
 *
 * The result holds no resource but native memory, which is freed with it; streams are stopped and programs have ended, also
 * when it fails.
 *
 * @throws `ERR_INVALID_ARGUMENT` for what is no audio, or for NaN or infinite samples, with the index; `ERR_AUDIO_DECODE` naming the
 *   path and what was found there; `ERR_AUDIO_UNSUPPORTED` for a format that needs ffmpeg where there is none; the
 *   signal's reason
 */
export async function prepareAudio(
  input: AudioInput,
  native: Native,
  signal: AbortSignal,
): Promise<PreparedAudio> {
  signal.throwIfAborted()
  const prepared = await prepare(input, native, signal)
  signal.throwIfAborted()
  return prepared
}

/**
 * Remembers how long audio in memory is now. The returned check throws `ERR_INVALID_ARGUMENT` when it has been transferred or resized
 * since: a job that waits for its turn would take what is left for all there was.
 */
export function watchMemory(input: unknown): () => void {
  const held = lengthInMemory(input)
  return () => {
    const left = lengthInMemory(input)
    if (left === held) return
    throw invalidArgument(`the ${held} bytes that were there when the job was started`, 'audio', left)
  }
}

/** Bytes of what is copied later; `undefined` for what is no memory of the caller, or cannot be looked at: {@link prepareAudio} says so. */
function lengthInMemory(input: unknown): number | undefined {
  try {
    const memory = typeof input === 'object' && input !== null && 'samples' in input ? input.samples : input
    return ArrayBuffer.isView(memory) || types.isAnyArrayBuffer(memory) ? memory.byteLength : undefined
  } catch {
    return undefined
  }
}

/** Whether audio arrives at the pace of somebody else. */
export function isStreamed(input: AudioInput): boolean {
  if (typeof input !== 'object' || input === null || types.isTypedArray(input)) return false
  return 'stream' in input ? !(input instanceof Blob) : isChunkStream(input)
}

function prepare(input: unknown, native: Native, signal: AbortSignal): Promise<PreparedAudio> {
  if (typeof input === 'string' || input instanceof URL) return prepareFile(input, native, signal)
  if (typeof input !== 'object' || input === null) throw notAudio(input)
  if (types.isFloat32Array(input)) return prepareSamples({ ...whisperFloats, samples: input }, native, signal)
  if (types.isUint8Array(input)) return prepareMemory(input, native, signal)
  if (types.isAnyArrayBuffer(input)) return prepareMemory(new Uint8Array(input), native, signal)
  if (input instanceof Blob) return prepareStream(input.stream(), 'the audio Blob', native, signal)
  if ('samples' in input) return prepareSamples(input, native, signal)
  if (isChunkStream(input)) return prepareStream(input, 'the audio stream', native, signal)
  if ('stream' in input) return prepareSampleStream(input, native, signal)
  throw notAudio(input)
}

const whisperFloats = { sampleRate: whisperFormat.sampleRate, channels: whisperFormat.channels }

function notAudio(input: unknown): Error {
  const expected = 'a path, a file URL, the bytes of an audio file, samples, or a stream'
  return invalidArgument(expected, 'audio', input)
}

async function prepareFile(input: string | URL, native: Native, signal: AbortSignal): Promise<PreparedAudio> {
  const path = toAudioPath(input)
  const sniffed = await sniffFile(path, String(input))
  if (sniffed.decoder === 'native') return { source: { kind: 'file', path }, decodeSeconds: 0 }
  return convert({ path }, JSON.stringify(path), sniffed, native, signal)
}

async function prepareSamples(input: object, native: Native, signal: AbortSignal): Promise<PreparedAudio> {
  const store = new native.ByteStore()
  return { source: { kind: 'pcm', store, ...(await storeSamples(input, store, signal)) }, decodeSeconds: 0 }
}

async function prepareSampleStream(
  input: object,
  native: Native,
  signal: AbortSignal,
): Promise<PreparedAudio> {
  const store = new native.ByteStore()
  return {
    source: { kind: 'pcm', store, ...(await storeSampleStream(input, store, signal)) },
    decodeSeconds: 0,
  }
}

function prepareMemory(bytes: Uint8Array, native: Native, signal: AbortSignal): Promise<PreparedAudio> {
  return prepareStream(slicesOf(bytes), 'the audio bytes', native, signal)
}

async function prepareStream(
  stream: ConstructorParameters<typeof ChunkReader>[0],
  name: string,
  native: Native,
  signal: AbortSignal,
): Promise<PreparedAudio> {
  const chunks = new ChunkReader(stream, name, signal)
  try {
    const first = await chunks.next()
    if (types.isFloat32Array(first)) {
      const store = new native.ByteStore()
      await storeFloatChunks(first, chunks, store, signal)
      return { source: { kind: 'pcm', store, ...whisperFormat }, decodeSeconds: 0 }
    }
    return await prepareBytes(new ByteReader(chunks, name, first), name, native, signal)
  } finally {
    chunks.close()
  }
}

async function prepareBytes(
  bytes: ByteReader,
  name: string,
  native: Native,
  signal: AbortSignal,
): Promise<PreparedAudio> {
  const sniffed = await sniffBytes(bytes, name)
  if (sniffed.decoder === 'native') {
    const store = new native.ByteStore()
    await storeBytes(bytes, store, signal)
    return { source: { kind: 'bytes', store }, decodeSeconds: 0 }
  }
  if (!sniffed.needsSeeking) return convert({ bytes }, name, sniffed, native, signal)
  const file = await spool(bytes, name)
  try {
    return await convert({ file }, name, sniffed, native, signal)
  } finally {
    await file.close()
  }
}

async function sniffBytes(bytes: ByteReader, name: string): Promise<Sniffed> {
  const head = await bytes.peek(headLength)
  if (head.length === 0) throw undecodable(name, 'there are no bytes')
  const tag = id3Length(head)
  return tag === 0 ? sniff(head) : sniff(head.subarray(tag), true)
}

async function convert(
  input: FfmpegInput,
  name: string,
  { decoder, found }: Sniffed,
  native: Native,
  signal: AbortSignal,
): Promise<PreparedAudio> {
  if (decoder === 'none') throw undecodable(name, `it is ${found}`)
  const begun = performance.now()
  const store = new native.ByteStore()
  const format = await decodeWithFfmpeg({ input, name, found, store, signal })
  return { source: { kind: 'pcm', store, ...format }, decodeSeconds: (performance.now() - begun) / 1000 }
}
