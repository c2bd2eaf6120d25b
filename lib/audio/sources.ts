import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import { types } from 'node:util'
import { checkAttached, invalidArgument } from '../check.ts'
import { isBlob, isUrl } from '../kinds.ts'
import type { NativeAddon, NativeAudioSource, NativeByteStore } from '../native.ts'
import type { Warning } from '../warnings.ts'
import { blobBytes } from './blob.ts'
import { ByteReader, sliceBytes, slicesOf } from './bytes.ts'
import { type AudioChoice, everything } from './choice.ts'
import { ChunkReader, isChunkStream } from './chunks.ts'
import { undecodable } from './failures.ts'
import { decodeWithFfmpeg, type FfmpegInput } from './ffmpeg.ts'
import { id3Length } from './mp3.ts'
import { soundPages } from './ogg-pages.ts'
import { openPipe, sniffFile, toAudioPath } from './path.ts'
import { storeBytes, storeFloatChunks, storeSampleStream, storeSamples, whisperFormat } from './pcm.ts'
import { headLength, type Sniffed, sniff } from './sniff.ts'
import { spool } from './spool.ts'
import type { AudioInput } from './types.ts'

/** Audio that the addon can take. */
export interface PreparedAudio {
  source: NativeAudioSource
  /**
   * Decodes it with ffmpeg in place of the addon, which has found that it cannot; absent where ffmpeg has decoded it already, or there is nothing to decode.
   * @param problem what the addon has said, for messages
   */
  viaFfmpeg?: (problem: unknown) => Promise<PreparedAudio>
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
  choice = everything,
): Promise<PreparedAudio> {
  signal.throwIfAborted()
  const prepared = await prepare(input, { native, signal, choice })
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
  return 'stream' in input ? !isBlob(input) : isChunkStream(input)
}

/** What each step needs. */
interface Setting {
  native: Native
  signal: AbortSignal
  choice: AudioChoice
}

function prepare(input: unknown, setting: Setting): Promise<PreparedAudio> {
  if (typeof input === 'string' || isUrl(input)) return prepareFile(input, setting)
  if (typeof input !== 'object' || input === null) throw notAudio(input)
  if (ArrayBuffer.isView(input) || types.isAnyArrayBuffer(input)) checkAttached(input, 'audio')
  if (types.isFloat32Array(input)) return prepareSamples({ ...whisperFloats, samples: input }, setting)
  if (types.isUint8Array(input)) return prepareMemory(input, setting)
  if (types.isAnyArrayBuffer(input)) return prepareMemory(new Uint8Array(input), setting)
  if (isBlob(input)) return prepareStream(blobBytes(input), 'the audio Blob', setting)
  if ('samples' in input) return prepareSamples(input, setting)
  if (isChunkStream(input)) return prepareStream(input, 'the audio stream', setting)
  if ('stream' in input) return prepareSampleStream(input, setting)
  throw notAudio(input)
}

const whisperFloats = { sampleRate: whisperFormat.sampleRate, channels: whisperFormat.channels }

function notAudio(input: unknown): Error {
  const expected = 'a path, a file URL, the bytes of an audio file, samples, or a stream'
  return invalidArgument(expected, 'audio', input)
}

async function prepareFile(input: string | URL, setting: Setting): Promise<PreparedAudio> {
  const path = toAudioPath(input)
  const name = JSON.stringify(path)
  const pipe = await openPipe(path, setting.signal)
  if (pipe !== undefined) return prepareStream(pipe, name, setting)
  const sniffed = await sniffFile(path, String(input))
  if (decodesHere(sniffed, setting)) {
    return {
      source: { kind: 'file', path },
      decodeSeconds: 0,
      viaFfmpeg: (problem) => convert({ path }, name, problemOf(problem), setting),
    }
  }
  return convert({ path }, name, need(sniffed, name), setting)
}

async function prepareSamples(input: object, { native, signal, choice }: Setting): Promise<PreparedAudio> {
  requireFirstTrack(choice)
  const store = new native.ByteStore()
  return { source: { kind: 'pcm', store, ...(await storeSamples(input, store, signal)) }, decodeSeconds: 0 }
}

async function prepareSampleStream(
  input: object,
  { native, signal, choice }: Setting,
): Promise<PreparedAudio> {
  requireFirstTrack(choice)
  const store = new native.ByteStore()
  return {
    source: { kind: 'pcm', store, ...(await storeSampleStream(input, store, signal)) },
    decodeSeconds: 0,
  }
}

function prepareMemory(bytes: Uint8Array, setting: Setting): Promise<PreparedAudio> {
  return prepareStream(slicesOf(bytes), 'the audio bytes', setting)
}

async function prepareStream(
  stream: ConstructorParameters<typeof ChunkReader>[0],
  name: string,
  setting: Setting,
): Promise<PreparedAudio> {
  const { native, signal, choice } = setting
  const chunks = new ChunkReader(stream, name, signal)
  try {
    const first = await chunks.next()
    if (types.isFloat32Array(first)) {
      requireFirstTrack(choice)
      const store = new native.ByteStore()
      await storeFloatChunks(first, chunks, store, signal)
      return { source: { kind: 'pcm', store, ...whisperFormat }, decodeSeconds: 0 }
    }
    return await prepareBytes(new ByteReader(chunks, name, first), name, setting)
  } finally {
    chunks.close()
  }
}

async function prepareBytes(bytes: ByteReader, name: string, setting: Setting): Promise<PreparedAudio> {
  const { native, signal } = setting
  const sniffed = await sniffBytes(bytes, name)
  if (decodesHere(sniffed, setting)) {
    const store = new native.ByteStore()
    await storeBytes(bytes, store, signal)
    return {
      source: { kind: 'bytes', store },
      decodeSeconds: 0,
      viaFfmpeg: (problem) => convertBytes(readerOf(store, name, signal), name, problemOf(problem), setting),
    }
  }
  return convertBytes(bytes, name, need(sniffed, name), setting)
}

/** ffmpeg looks for the index of a file at its end, and reads it twice: it gets a file. */
async function convertBytes(
  bytes: ByteReader,
  name: string,
  found: string,
  setting: Setting,
): Promise<PreparedAudio> {
  const file = await spool(bytes, name)
  try {
    return await convert({ file }, name, found, setting)
  } finally {
    await file.close()
  }
}

/** The bytes of a store once more. */
function readerOf(store: NativeByteStore, name: string, signal: AbortSignal): ByteReader {
  async function* slices() {
    for (let at = 0; at < store.byteLength; at += sliceBytes) yield store.read(at, sliceBytes)
  }
  return new ByteReader(new ChunkReader(slices(), name, signal), name)
}

async function sniffBytes(bytes: ByteReader, name: string): Promise<Sniffed> {
  const head = await bytes.peek(headLength)
  if (head.length === 0) throw undecodable(name, 'there are no bytes')
  const tag = id3Length(head)
  return tag === 0 ? sniff(head) : sniff(head.subarray(tag), true)
}

/** What the addon decodes has one track: any other is looked for by ffmpeg. */
function decodesHere({ decoder }: Sniffed, { choice }: Setting): boolean {
  return decoder === 'native' && (choice.track === undefined || choice.track === 0)
}

function requireFirstTrack({ track }: AudioChoice): void {
  if (track === undefined || track === 0) return
  throw invalidArgument('no value for samples, which have one track,', 'track', track)
}

/** Why ffmpeg is needed, as the middle of a sentence. */
function need({ decoder, found }: Sniffed, name: string): string {
  if (decoder === 'none') throw undecodable(name, `it is ${found}`)
  return `it is ${found}`
}

/** What the addon could not do, as the middle of a sentence. */
function problemOf(error: unknown): string {
  const { message } = error as Error
  return message.replace(/^Cannot decode .*?(?: without other software)?: /s, '')
}

/** Whether an Ogg file ends with a page that says so. */
async function endsWell(input: FfmpegInput): Promise<boolean> {
  const file = 'file' in input ? input.file : await open(input.path)
  try {
    const { size } = await file.stat()
    const length = Math.min(size, 70_000)
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length)
    const last = buffer.lastIndexOf('OggS', undefined, 'latin1')
    return last < 0 || ((buffer[last + 5] ?? 4) & 4) !== 0
  } finally {
    if (!('file' in input)) await file.close()
  }
}

function bytesOf(input: FfmpegInput): AsyncIterable<Uint8Array> {
  if ('path' in input) return createReadStream(input.path)
  return input.file.createReadStream({ start: 0, autoClose: false })
}

async function convert(
  input: FfmpegInput,
  name: string,
  found: string,
  { native, signal, choice }: Setting,
): Promise<PreparedAudio> {
  const begun = performance.now()
  const decode = async (from: FfmpegInput, damaged: boolean) => {
    const store = new native.ByteStore()
    return {
      store,
      ...(await decodeWithFfmpeg({ input: from, name, found, choice, store, damaged, signal })),
    }
  }
  let decoded = await decode(input, false)
  // ffmpeg stops where a page is damaged. What comes after it is found without those pages.
  if (decoded.damaged && /\bOgg\b/.test(found)) {
    const bytes = new ByteReader(new ChunkReader(soundPages(bytesOf(input)), name, signal), name)
    const file = await spool(bytes, name)
    try {
      const again = await decode({ file }, true)
      if (again.store.byteLength > decoded.store.byteLength) decoded = again
    } finally {
      await file.close()
    }
  }
  const { store, format, gaps, warnings } = decoded
  if (!decoded.damaged && /\bOgg\b/.test(found) && !(await endsWell(input)))
    warnings.push({ code: 'AUDIO_TRUNCATED', message: 'The recording is cut off: its last page is missing' })
  return {
    source: {
      kind: 'pcm',
      store,
      ...format,
      gaps: gaps.flatMap(({ at, silence, dropped }) => [at, silence, dropped]),
    },
    decodeSeconds: (performance.now() - begun) / 1000,
    warnings,
  }
}
