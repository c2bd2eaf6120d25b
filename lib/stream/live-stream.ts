import { Duplex, finished } from 'node:stream'
import { setImmediate } from 'node:timers'
import { onAbort } from '../abort.ts'
import { toLibraryError } from '../backend/native-error.ts'
import { invalidArgument } from '../check.ts'
import { WhisperHipError } from '../errors.ts'
import { unshared } from '../kinds.ts'
import type { NativeHeard, NativeLiveAudio } from '../native.ts'
import type { DecoderHost } from './decoder.ts'
import { type Boundary, Endpointer } from './endpointer.ts'
import { EventQueue } from './event-queue.ts'
import { checkChunkType, InputGuard } from './input-guard.ts'
import { Loudness } from './loudness.ts'
import type { ParsedStreamOptions } from './options.ts'
import type { StreamEvent } from './types.ts'
import { UtteranceQueue, type Waiting } from './utterance-queue.ts'

/** Most bytes, and seconds of audio, that are heard between two turns of the event loop. */
const PIECE = 65_536
const PIECE_SECONDS = 4
/** Seconds of speech that wait for their final before the writer is held up. */
const MOST_WAITING_SECONDS = 30
/** Events that wait for a reader before the writer is held up: a day of speech. */
const MOST_UNREAD = 20_000

/**
 * A live transcription: write PCM to it and read events from it. It is a Node `Duplex`, so you can pipe audio into it, and an async
 * iterable of {@link StreamEvent}.
 *
 * If the machine falls far behind the speech, writing waits; audio is never dropped. Leaving a loop over the events destroys the stream. A
 * failure emits `error` and rejects the loop.
 */
export class LiveStream extends Duplex {
  readonly #options: ParsedStreamOptions
  readonly #ear: NativeLiveAudio
  readonly #queue: UtteranceQueue
  readonly #endpointer: Endpointer
  readonly #events = new EventQueue()
  /** Bytes that are heard at once. */
  readonly #piece: number
  readonly #caller: { stack?: string }
  readonly #loudness = new Loudness()
  readonly #guard: InputGuard
  /** Bytes heard so far. */
  #bytes = 0
  #wantsEvent = false
  #heldWrite: (() => void) | undefined
  /** Chunks without bytes that stand where {@link flush} was called, among the others. */
  readonly #marks = new WeakMap<object, Waiting>()
  #ended = false

  /** @internal use {@link Model.stream} */
  constructor(
    host: DecoderHost,
    ear: NativeLiveAudio,
    options: ParsedStreamOptions,
    caller: { stack?: string },
  ) {
    super({
      readableObjectMode: true,
      readableHighWaterMark: 0,
      writableHighWaterMark: PIECE,
      decodeStrings: false,
    })
    this.#caller = caller
    this.#options = options
    this.#ear = ear
    this.#guard = new InputGuard(options)
    this.#queue = new UtteranceQueue(host, options, {
      tell: (event) => this.#tell(event),
      settled: () => {
        this.#offer()
        this.#takeMore()
      },
      failed: (error) => this.destroy(toLibraryError(error, caller) as Error),
    })
    this.#endpointer = new Endpointer(options.endpoints)
    const { sampleRate, channels, format } = options
    this.#piece = Math.min(PIECE, PIECE_SECONDS * sampleRate * channels * (format === 'f32le' ? 4 : 2))
    for (const warning of options.warnings) this.#queue.warn(warning)
    if (options.signal !== undefined) this.#obey(options.signal)
  }

  /** Whether audio is being decoded or is waiting for its turn. */
  get decoding(): boolean {
    return this.#queue.decoding
  }

  /**
   * Ends the current utterance, if there is one.
   * @returns a promise that resolves once the finals of everything written before can be read
   */
  flush(): Promise<void> {
    if (this.writableEnded) return this.finish()
    return new Promise((resolve, reject) => {
      if (this.destroyed) return reject(this.errored ?? disposed())
      const mark = Buffer.alloc(0)
      this.#marks.set(mark, { done: resolve, failed: reject })
      this.write(mark, (error?: Error | null) => {
        if (error != null) reject(this.errored ?? disposed())
      })
    })
  }

  /**
   * Ends the audio.
   * @returns a promise that resolves once the last final can be read, and rejects if the stream fails
   */
  finish(): Promise<void> {
    return new Promise((resolve, reject) => {
      finished(this, { readable: false }, () => {
        // Node takes a stream that is destroyed after end() for one that has finished.
        if (this.writableFinished) resolve()
        else reject(this.errored ?? disposed())
      })
      if (!this.writableEnded) this.end()
    })
  }

  /** Ends everything at once, and discards audio that was not decoded. */
  override async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return
    await new Promise<void>((resolve) => {
      this.once('close', resolve)
      this.destroy()
    })
  }

  /** Destroys the stream when its model is gone: with an error where somebody listens. @internal */
  abandon(error: Error): void {
    this.destroy(this.listenerCount('error') > 0 ? error : undefined)
  }

  /** Node makes bytes of any typed array before {@link _write} sees it. @internal */
  // biome-ignore lint/suspicious/noExplicitAny: the overloads of Node
  override write(chunk: any, ...rest: any[]): boolean {
    const error = this.#refusal(chunk)
    if (error === undefined) return super.write(chunk, ...(rest as [BufferEncoding]))
    this.destroy(error)
    const callback = rest.find((value) => typeof value === 'function')
    if (callback !== undefined) process.nextTick(callback, error)
    return false
  }

  /** @internal */
  // biome-ignore lint/suspicious/noExplicitAny: the overloads of Node
  override end(chunk?: any, ...rest: any[]): this {
    const error = this.#refusal(chunk)
    if (error === undefined) return super.end(chunk, ...(rest as [BufferEncoding]))
    return this.destroy(error)
  }

  /** @internal */
  override _write(
    chunk: Buffer | string,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    if (typeof chunk === 'string') {
      callback(invalidArgument('bytes of PCM', 'the live audio', chunk))
      return
    }
    const flush = this.#marks.get(chunk)
    if (flush !== undefined) {
      this.#close('flush', flush)
      callback()
      return
    }
    const hear = (from: number): void => {
      const to = from + this.#piece
      if (this.destroyed) {
        callback()
        return
      }
      try {
        if (from === 0) this.#guard.check(chunk)
        this.#hear(this.#listen(unshared(chunk.subarray(from, to))))
      } catch (error) {
        callback(toLibraryError(error, this.#caller) as Error)
        return
      }
      const goOn = to < chunk.length ? () => setImmediate(hear, to) : callback
      if (this.#isFull()) this.#heldWrite = goOn
      else goOn()
    }
    hear(0)
  }

  /** @internal */
  override _final(callback: (error?: Error | null) => void): void {
    try {
      this.#guard.end()
      this.#hear(this.#ear.finish())
    } catch (error) {
      callback(toLibraryError(error, this.#caller) as Error)
      return
    }
    this.#ended = true
    this.#close('end', { done: callback, failed: () => {} })
  }

  /** @internal */
  override _read(): void {
    this.#wantsEvent = true
    this.#offer()
    this.#takeMore()
  }

  /** @internal */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const reason = error ?? disposed()
    this.#queue.stop(reason)
    this.#release()
    callback(error)
  }

  #refusal(chunk: unknown): Error | undefined {
    try {
      checkChunkType(chunk, this.#options)
      return undefined
    } catch (error) {
      return toLibraryError(error, this.#caller) as Error
    }
  }

  #listen(bytes: Buffer): NativeHeard {
    const position = this.#bytes
    this.#bytes += bytes.length
    try {
      return this.#ear.push(bytes)
    } catch (error) {
      const { channels, format } = this.#options
      const frame = channels * (format === 'f32le' ? 4 : 2)
      throw this.#guard.explain(bytes.subarray((frame - (position % frame)) % frame), error)
    }
  }

  #obey(signal: AbortSignal): void {
    if (signal.aborted) {
      this.destroy(signal.reason)
      return
    }
    // The signal may outlive the stream by far.
    const self = new WeakRef(this)
    const forget = onAbort(signal, () => self.deref()?.destroy(signal.reason))
    this.once('close', forget)
  }

  /** Ends the utterance that goes on. */
  #close(reason: 'flush' | 'end', waiting: Waiting): void {
    this.#decide(this.#endpointer.close(this.#queue.heard, reason))
    this.#queue.wait(waiting)
    this.#queue.advance()
  }

  #hear({ samples, probabilities, warnings }: NativeHeard): void {
    for (const warning of warnings) this.#queue.warn(warning)
    this.#queue.append(samples)
    for (const probability of this.#options.network === '' ? this.#loudness.push(samples) : probabilities) {
      this.#decide(this.#endpointer.push(probability, this.#queue.heard))
    }
    this.#queue.advance()
  }

  #decide(boundaries: readonly Boundary[]): void {
    for (const boundary of boundaries) this.#queue.take(boundary)
  }

  #tell(event: StreamEvent): void {
    this.#events.push(event)
    this.#offer()
  }

  #offer(): void {
    while (this.#wantsEvent) {
      const event = this.#events.shift()
      if (event === undefined) {
        if (this.#ended && this.#queue.isEmpty) {
          this.#wantsEvent = false
          this.push(null)
        }
        return
      }
      this.#wantsEvent = false
      this.push(event)
    }
  }

  /** Whether the machine is so far behind, or the reader, that no more audio is taken. */
  #isFull(): boolean {
    return this.#queue.secondsBehind > MOST_WAITING_SECONDS || this.#events.length > MOST_UNREAD
  }

  /** Lets the writer go on when there is room. */
  #takeMore(): void {
    if (this.#heldWrite !== undefined && !this.#isFull()) this.#release()
  }

  #release(): void {
    const held = this.#heldWrite
    this.#heldWrite = undefined
    held?.()
  }
}

function disposed(): WhisperHipError {
  return new WhisperHipError('ERR_DISPOSED', 'The live transcription has been destroyed')
}
