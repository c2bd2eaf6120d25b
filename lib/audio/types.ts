import type { Readable } from 'node:stream'

/**
 * Decoded samples in memory.
 *
 * The samples are copied in slices while the event loop runs: do not change them before the first segment arrives.
 */
export interface PcmAudio {
  /**
   * Samples, interleaved by channel (`[frames, channels]`), so their count is a multiple of `channels`. Floats lie in
   * -1..1 and are finite; an `Int16Array` uses its full range. No samples at all give an empty result.
   */
  samples: Float32Array | Int16Array
  /** Samples per second and channel, an integer from 1000 to 768000. Resampled to 16 kHz natively. */
  sampleRate: number
  /** Interleaved channels, an integer from 1 to 64. Mixed down to one natively. */
  channels: number
}

/** A web `ReadableStream`, of Node or of the DOM types: what is used of it. */
export interface WebStream<T> {
  readonly locked: boolean
  getReader(): {
    read(): Promise<{ done: boolean; value?: T | undefined }>
    cancel(reason?: unknown): Promise<void>
  }
}

/** Something that yields chunks: a Node stream, a web stream (the body of a `fetch`), or any async iterable. */
export type ChunkStream<T> = Readable | WebStream<T> | AsyncIterable<T>

/** A stream of decoded samples, read to its end. Chunks may be cut anywhere, also inside a sample. */
export interface PcmStream {
  stream: ChunkStream<Uint8Array>
  /** `s16le`: 16-bit integers; `f32le`: finite 32-bit floats in -1..1; both little-endian and interleaved. */
  format: 's16le' | 'f32le'
  /** Samples per second and channel, an integer from 1000 to 768000. */
  sampleRate: number
  /** Interleaved channels, an integer from 1 to 64. */
  channels: number
}

/**
 * What can be transcribed:
 *
 * - a path, or a `file:` URL: also of a named pipe or a descriptor (`/dev/stdin`, `/dev/fd/63`), and `-` for standard input;
 * - the bytes of an audio file: `Uint8Array`, `ArrayBuffer`, `Blob`, or a stream of `Uint8Array` chunks;
 * - samples: a `Float32Array` or a stream of them (16 kHz, mono), {@link PcmAudio} or {@link PcmStream} with a rate of their own.
 *
 * wav, mp3, flac and ogg vorbis are decoded by this library; any other format by `ffmpeg`, from the `PATH` or named by the
 * environment variable `WHISPER_HIP_FFMPEG`.
 */
export type AudioInput =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | Blob
  | Float32Array
  | PcmAudio
  | PcmStream
  | ChunkStream<Uint8Array>
  | ChunkStream<Float32Array>
