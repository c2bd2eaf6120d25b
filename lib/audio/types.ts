import type { Readable } from 'node:stream'

/**
 * Decoded samples in memory.
 *
 * The samples are copied in slices while the event loop runs: do not change them before the first segment arrives.
 */
export interface PcmAudio {
  /**
   * Interleaved samples (`[frames, channels]`), so their number is a multiple of `channels`. Floats are finite and range from -1 to 1; an
   * `Int16Array` uses its full range. An empty array gives an empty result.
   */
  samples: Float32Array | Int16Array
  /** Samples per second and channel, an integer from 1000 to 768000. The library resamples them to 16 kHz. */
  sampleRate: number
  /** Number of interleaved channels, an integer from 1 to 64. Mixed to one by default. */
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

/** A stream of decoded samples, read to its end. Chunks may end anywhere, even inside a sample. */
export interface PcmStream {
  stream: ChunkStream<Uint8Array>
  /** `s16le`: 16-bit integers; `f32le`: finite 32-bit floats from -1 to 1; both little-endian and interleaved. */
  format: 's16le' | 'f32le'
  /** Samples per second and channel, an integer from 1000 to 768000. */
  sampleRate: number
  /** Number of interleaved channels, an integer from 1 to 64. */
  channels: number
}

/**
 * The audio to transcribe:
 *
 * - a path or a `file:` URL, including those of a named pipe or a descriptor (`/dev/stdin`, `/dev/fd/63`); `-` is standard input;
 * - the bytes of an audio file: `Uint8Array`, `ArrayBuffer`, `Blob`, or a stream of `Uint8Array` chunks;
 * - samples: a `Float32Array` or a stream of them (16 kHz, mono), or {@link PcmAudio} or {@link PcmStream}, which state their rate.
 *
 * This library decodes wav, mp3, flac and ogg vorbis. It uses `ffmpeg`, from the `PATH` or the environment variable `WHISPER_HIP_FFMPEG`,
 * for all other formats.
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
