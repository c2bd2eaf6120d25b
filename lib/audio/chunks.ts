import { onAbort } from '../abort.ts'
import { invalidArgument } from '../check.ts'
import { WhisperHipError } from '../errors.ts'
import { isError } from '../kinds.ts'
import { undecodable } from './failures.ts'
import type { ChunkStream, WebStream } from './types.ts'

/** What an iterator and the reader of a web stream answer. */
interface Step {
  done?: boolean | undefined
  value?: unknown
}

/** One way to read every kind of stream. */
interface Source {
  next(): Promise<Step>
  /** Tells the stream that nobody reads on; harmless after its end. */
  stop(): void
}

/** Whether a value is one of the streams that {@link ChunkReader} reads. */
export function isChunkStream(value: object): value is ChunkStream<unknown> {
  return isWebStream(value) || isIterable(value)
}

/**
 * Reads a stream chunk by chunk, and stops it at its end, when it fails, on abort, and on {@link close}. A read never waits
 * for a stream that hangs once it has been aborted or closed.
 */
export class ChunkReader {
  readonly #source: Source
  readonly #signal: AbortSignal
  readonly #name: string
  readonly #forgetSignal: () => void
  #closed = false
  #interrupt: () => void = () => {}

  /** @param name the stream in messages, e.g. `the audio stream` */
  constructor(stream: ChunkStream<unknown>, name: string, signal: AbortSignal) {
    this.#source = isWebStream(stream) ? webSource(stream) : iterableSource(stream)
    this.#name = name
    this.#signal = signal
    this.#forgetSignal = onAbort(signal, () => this.close())
  }

  /**
   * @returns the next chunk, or `undefined` at the end and after {@link close}
   * @throws the signal's reason, or `ERR_AUDIO_DECODE` with the stream's own error as its cause
   */
  async next(): Promise<unknown> {
    this.#signal.throwIfAborted()
    if (this.#closed) return undefined
    try {
      const step = await new Promise<Step | undefined>((resolve, reject) => {
        this.#interrupt = () => resolve(undefined)
        this.#source.next().then(resolve, reject)
      })
      this.#signal.throwIfAborted()
      if (step !== undefined && step.done !== true) return step.value
      this.close()
      return undefined
    } catch (cause) {
      this.close()
      this.#signal.throwIfAborted()
      if (cause instanceof WhisperHipError) throw cause
      throw undecodable(this.#name, isError(cause) ? cause.message : 'reading it failed', { cause })
    }
  }

  /** Stops the stream. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#forgetSignal()
    this.#source.stop()
    this.#interrupt()
  }
}

const ignore = (): void => {}

function isWebStream(value: object): value is WebStream<unknown> {
  return 'getReader' in value && typeof value.getReader === 'function'
}

function isIterable(value: object): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value && typeof value[Symbol.asyncIterator] === 'function'
}

function webSource(stream: WebStream<unknown>): Source {
  if (stream.locked) throw invalidArgument('a stream that nobody else reads', 'audio', stream)
  const reader = stream.getReader()
  return {
    next: () => reader.read(),
    stop: () => void reader.cancel().catch(ignore),
  }
}

/** Node streams are iterables too, but hold on to a pending read unless they are destroyed. */
function iterableSource(stream: AsyncIterable<unknown> & { destroy?: unknown }): Source {
  const iterator = stream[Symbol.asyncIterator]()
  return {
    next: async () => iterator.next(),
    stop: () => {
      if (typeof stream.destroy === 'function') stream.destroy()
      else void iterator.return?.().catch(ignore)
    },
  }
}
