import { Duplex, finished } from 'node:stream'
import { onAbort } from '../audio/abort.ts'
import { invalidArgument } from '../check.ts'
import { WhisperHipError } from '../errors.ts'
import type { NativeHeard, NativeLiveAudio } from '../native.ts'
import { toLibraryError } from '../native-error.ts'
import { AudioBuffer } from './audio-buffer.ts'
import { Decoder, type DecoderHost } from './decoder.ts'
import { type Boundary, Endpointer, FRAME } from './endpointer.ts'
import { EventQueue } from './event-queue.ts'
import { FileGuard } from './file-guard.ts'
import { Loudness } from './loudness.ts'
import type { ParsedStreamOptions } from './options.ts'
import { AgreementPolicy } from './policies/agreement.ts'
import { PhrasePolicy } from './policies/phrase.ts'
import { type FinalText, type Policy, textOf } from './policies/policy.ts'
import type { StreamEvent } from './types.ts'
import { audioOf, type Utterance } from './utterances.ts'

const RATE = 16_000
/** Most bytes, and seconds of audio, that are heard between two turns of the event loop. */
const PIECE = 65_536
const PIECE_SECONDS = 4
/** Whisper makes nothing of less than 100 ms. */
const SHORTEST = 1600
/** Seconds of speech that wait for their final before the writer is held up. */
const MOST_WAITING_SECONDS = 30
/** Events that wait for a reader before the writer is held up: a day of speech. */
const MOST_UNREAD = 20_000

/** Somebody who waits for finals. */
interface Flush {
  done(): void
  failed(error: unknown): void
}

/**
 * A live transcription: bytes of PCM are written, events are read. A Node `Duplex`, so that audio can be piped in, and an async iterable of
 * {@link StreamEvent}.
 *
 * Writing waits when the machine falls far behind the speech; audio is never dropped. Leaving a loop over the events destroys the stream. A
 * failure is its `error` event and rejects the loop.
 */
export class LiveStream extends Duplex {
  readonly #options: ParsedStreamOptions
  readonly #ear: NativeLiveAudio
  readonly #decoder: Decoder
  readonly #endpointer: Endpointer
  readonly #audio = new AudioBuffer()
  readonly #events = new EventQueue()
  /** Bytes that are heard at once. */
  readonly #piece: number
  readonly #caller: { stack?: string }
  /** Those without a final, oldest first. */
  #utterances: Utterance[] = []
  #count = 0
  readonly #loudness = new Loudness()
  readonly #fileGuard = new FileGuard()
  #work:
    | { controller: AbortController; utterance: Utterance; kind: 'partial' | 'ahead' | 'final' }
    | undefined
  #wantsEvent = false
  #heldWrite: (() => void) | undefined
  /** Chunks without bytes that stand where {@link flush} was called, among the others. */
  readonly #marks = new WeakMap<object, Flush>()
  /** Those who wait for all utterances before number `until`. */
  #flushes: (Flush & { until: number })[] = []
  #ended = false
  /** Seconds of audio that was decoded for finals. */
  #decodedSeconds = 0

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
    this.#decoder = new Decoder(host, options.transcribe)
    this.#endpointer = new Endpointer(options.endpoints)
    const { sampleRate, channels, format } = options
    this.#piece = Math.min(PIECE, PIECE_SECONDS * sampleRate * channels * (format === 'f32le' ? 4 : 2))
    if (options.signal !== undefined) this.#obey(options.signal)
  }

  /** Whether audio is decoded at this moment, or waits for its turn to be. */
  get decoding(): boolean {
    return this.#work !== undefined
  }

  /**
   * Ends the utterance that goes on, if there is one.
   * @returns resolves when the finals of all that was written before are there to be read
   */
  flush(): Promise<void> {
    if (this.writableEnded) return this.finish()
    return new Promise((resolve, reject) => {
      if (this.destroyed) return reject(this.errored ?? disposed())
      const mark = Buffer.alloc(0)
      this.#marks.set(mark, { done: resolve, failed: reject })
      this.write(mark, (error) => {
        if (error != null) reject(this.errored ?? disposed())
      })
    })
  }

  /**
   * Ends the audio.
   * @returns resolves when the last final is there to be read; rejects with the failure of the stream
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

  /** Ends everything at once: what was not decoded is dropped. */
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
        if (from === 0) this.#fileGuard.check(chunk)
        this.#hear(this.#ear.push(chunk.subarray(from, to)))
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
    this.#work?.controller.abort(reason)
    for (const { failed } of this.#flushes.splice(0)) failed(reason)
    this.#utterances = []
    this.#release()
    callback(error)
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
  #close(reason: 'flush' | 'end', waiting: Flush): void {
    this.#decide(this.#endpointer.close(this.#audio.end, reason))
    this.#flushes.push({ ...waiting, until: this.#count })
    this.#advance()
  }

  #hear({ samples, probabilities }: NativeHeard): void {
    this.#audio.append(samples)
    for (const probability of this.#options.network === '' ? this.#loudness.push(samples) : probabilities) {
      this.#decide(this.#endpointer.push(probability, this.#audio.end))
    }
    this.#advance()
  }

  #decide(boundaries: readonly Boundary[]): void {
    for (const boundary of boundaries) this.#take(boundary)
  }

  #take(boundary: Boundary): void {
    const open = this.#utterances.at(-1)
    switch (boundary.type) {
      case 'start': {
        if (!boundary.goesOn) this.#tell({ type: 'speech-start', time: boundary.at / RATE })
        const start = boundary.cut
        const due = performance.now()
        const number = this.#count++
        this.#utterances.push({
          number,
          start,
          policy: this.#policy(),
          heard: start,
          revision: 0,
          shown: false,
          due,
        })
        break
      }
      case 'pause':
        if (open === undefined) break
        open.pause = boundary.cut
        open.due = performance.now()
        break
      case 'resume':
        if (open === undefined) break
        delete open.pause
        delete open.ahead
        if (this.#work?.utterance === open && this.#work.kind === 'ahead') this.#work.controller.abort()
        break
      case 'end': {
        if (boundary.reason !== 'max') this.#tell({ type: 'speech-end', time: boundary.at / RATE })
        if (open === undefined) break
        open.due = performance.now()
        const { cut, reason, spoken } = boundary
        open.end = { cut, reason }
        const isNone = spoken <= this.#options.minSpeech || cut - open.start < SHORTEST
        if (isNone && !open.shown) this.#drop(open)
        break
      }
    }
  }

  #policy(): Policy {
    return this.#options.policy === 'agreement'
      ? new AgreementPolicy(this.#decoder)
      : new PhrasePolicy(this.#decoder)
  }

  #drop(utterance: Utterance): void {
    this.#utterances = this.#utterances.filter((other) => other !== utterance)
    if (this.#work?.utterance === utterance) this.#work.controller.abort()
  }

  /** Starts the next decoding, if there is one to do and none runs. */
  #advance(): void {
    if (this.destroyed) return
    const [oldest] = this.#utterances
    this.#audio.release(oldest?.start ?? this.#audio.end - this.#options.endpoints.lead - 2 * FRAME)
    this.#settleFlushes()
    if (oldest?.end !== undefined && oldest.ahead?.cut === oldest.end.cut) {
      this.#finish(oldest, oldest.ahead.text)
      this.#advance()
      return
    }
    if (this.#work !== undefined) {
      // A guess at an utterance that has ended would only hold up its final.
      const { utterance, kind, controller } = this.#work
      if (kind === 'partial' && utterance.end !== undefined) controller.abort()
      return
    }
    const kind = oldest === undefined ? undefined : this.#nextStep(oldest)
    if (oldest !== undefined && kind !== undefined) void this.#decode(oldest, kind)
  }

  #nextStep({ end, pause, ahead, heard }: Utterance): 'partial' | 'ahead' | 'final' | undefined {
    if (end !== undefined) return 'final'
    if (pause !== undefined) return ahead === undefined ? 'ahead' : undefined
    if (!this.#options.partials && this.#options.policy === 'phrase') return undefined
    return this.#audio.end - heard >= this.#options.step ? 'partial' : undefined
  }

  async #decode(utterance: Utterance, kind: 'partial' | 'ahead' | 'final'): Promise<void> {
    const controller = new AbortController()
    this.#work = { controller, utterance, kind }
    const { signal } = controller
    const urgency = { final: kind !== 'partial', due: utterance.due }
    const cut = utterance.end?.cut ?? (kind === 'ahead' ? utterance.pause : undefined) ?? this.#audio.end
    const audio = audioOf(this.#audio, utterance.start, cut)
    try {
      // What comes too late to be cancelled is dropped all the same.
      if (kind === 'partial') {
        utterance.heard = cut
        const { words, committed } = await utterance.policy.partial(audio, urgency, signal)
        if (!signal.aborted) this.#showPartial(utterance, words, committed)
      } else {
        const text = await utterance.policy.final(audio, urgency, signal)
        if (!signal.aborted) this.#keepFinal(utterance, kind, cut, text)
      }
    } catch (error) {
      if (!signal.aborted) this.destroy(toLibraryError(error, this.#caller) as Error)
    } finally {
      this.#work = undefined
      utterance.due = performance.now()
    }
    if (this.destroyed) return
    this.#tellStats()
    this.#advance()
    this.#takeMore()
  }

  #keepFinal(utterance: Utterance, kind: 'ahead' | 'final', cut: number, text: FinalText): void {
    if (kind === 'final') this.#finish(utterance, text)
    else if (utterance.pause === cut || utterance.end?.cut === cut) utterance.ahead = { cut, text }
  }

  #showPartial(utterance: Utterance, words: readonly FinalText['words'][number][], committed: number): void {
    const whole = textOf(words)
    const stays = textOf(words.slice(0, committed))
    if (!this.#options.partials || (whole === '' && !utterance.shown)) return
    utterance.shown = true
    this.#tell({
      type: 'partial',
      utterance: utterance.number,
      revision: utterance.revision++,
      committed: stays,
      tentative: whole.slice(stays.length),
      words: words.map(({ tokens: _, ...word }) => word),
      committedWords: committed,
    })
  }

  #finish(utterance: Utterance, { text, words, language, averageLogProbability }: FinalText): void {
    const { cut, reason } = utterance.end ?? { cut: this.#audio.end, reason: 'end' as const }
    this.#drop(utterance)
    this.#decodedSeconds += (cut - utterance.start) / RATE
    if (text === '' && !utterance.shown) return
    this.#tell({
      type: 'final',
      utterance: utterance.number,
      text,
      words: words.map(({ tokens: _, ...word }) => word),
      start: utterance.start / RATE,
      end: cut / RATE,
      reason,
      language,
      averageLogProbability,
    })
  }

  #tellStats(): void {
    const { seconds, gpuNodes, cpuNodes } = this.#decoder.computed
    const [oldest] = this.#utterances
    const decoded = oldest === undefined ? this.#audio.end : Math.max(oldest.heard, oldest.start)
    this.#tell({
      type: 'stats',
      lag: (this.#audio.end - decoded) / RATE,
      realTimeFactor: seconds > 0 ? (this.#decodedSeconds + this.#openSeconds()) / seconds : 0,
      bufferedSeconds: (this.#audio.end - this.#audio.start) / RATE,
      gpuNodes,
      cpuNodes,
    })
  }

  #openSeconds(): number {
    return this.#utterances.reduce((sum, { start, heard }) => sum + Math.max(heard - start, 0), 0) / RATE
  }

  #tell(event: StreamEvent): void {
    this.#events.push(event)
    this.#offer()
  }

  #offer(): void {
    while (this.#wantsEvent) {
      const event = this.#events.shift()
      if (event === undefined) {
        if (this.#ended && this.#utterances.length === 0 && this.#flushes.length === 0) {
          this.#wantsEvent = false
          this.push(null)
        }
        return
      }
      this.#wantsEvent = false
      this.push(event)
    }
  }

  #settleFlushes(): void {
    const next = this.#utterances[0]?.number ?? Number.POSITIVE_INFINITY
    const done = this.#flushes.filter(({ until }) => next >= until)
    if (done.length === 0) return
    this.#flushes = this.#flushes.filter((flush) => !done.includes(flush))
    for (const flush of done) flush.done()
    this.#offer()
  }

  /** Whether the machine is so far behind, or the reader, that no more audio is taken. */
  #isFull(): boolean {
    const waiting = this.#utterances.reduce(
      (sum, { start, end }) => sum + (end === undefined ? 0 : end.cut - start),
      0,
    )
    return waiting > MOST_WAITING_SECONDS * RATE || this.#events.length > MOST_UNREAD
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
