import { performance } from 'node:perf_hooks'
import { AbortController } from '../abort.ts'
import type { NativeHeard } from '../native.ts'
import { type Warning, Warnings } from '../warnings.ts'
import { AudioBuffer } from './audio-buffer.ts'
import { Decoder, type DecoderHost } from './decoder.ts'
import { type Boundary, FRAME } from './endpointer.ts'
import { LoopMemory } from './loop-guard.ts'
import type { ParsedStreamOptions } from './options.ts'
import { AgreementPolicy } from './policies/agreement.ts'
import { AlignAttPolicy } from './policies/alignatt.ts'
import { PhrasePolicy } from './policies/phrase.ts'
import { type FinalText, type Policy, type SpokenWord, textOf } from './policies/policy.ts'
import type { StreamEvent } from './types.ts'
import { audioOf, type Utterance } from './utterances.ts'

const RATE = 16_000
/** Whisper makes nothing of less than 100 ms. */
const SHORTEST = 1600

type Work = 'partial' | 'ahead' | 'final'

/** Somebody who waits for finals. */
export interface Waiting {
  done(): void
  failed(error: unknown): void
}

/** What a queue says of itself. */
export interface QueueListener {
  tell(event: StreamEvent): void
  /** A decoding has ended, or somebody has waited long enough. */
  settled(): void
  failed(error: unknown): void
}

/** The utterances of a stream, from their first sample to their final: decides what is decoded next, one decoding at a time. */
export class UtteranceQueue {
  readonly #options: ParsedStreamOptions
  readonly #decoder: Decoder
  readonly #listener: QueueListener
  readonly #audio = new AudioBuffer()
  readonly #memory = new LoopMemory()
  /** Those without a final, oldest first. */
  #utterances: Utterance[] = []
  #count = 0
  #work: { controller: AbortController; utterance: Utterance; kind: Work } | undefined
  /** Those who wait for all utterances before number `until`. */
  #waiting: (Waiting & { until: number })[] = []
  #stopped = false
  readonly #warnings = new Warnings()
  /** Seconds of audio that was decoded for finals. */
  #decodedSeconds = 0

  constructor(host: DecoderHost, options: ParsedStreamOptions, listener: QueueListener) {
    this.#options = options
    this.#decoder = new Decoder(host, options.transcribe)
    this.#listener = listener
  }

  /** Whether audio is decoded at this moment, or waits for its turn to be. */
  get decoding(): boolean {
    return this.#work !== undefined
  }

  /** Whether there is no utterance, and nobody waits for one. */
  get isEmpty(): boolean {
    return this.#utterances.length === 0 && this.#waiting.length === 0
  }

  /** Seconds of speech that wait for their final. */
  get secondsBehind(): number {
    const ended = this.#utterances.map(({ start, end }) => (end === undefined ? 0 : end.cut - start))
    return ended.reduce((sum, samples) => sum + samples, 0) / RATE
  }

  /** Samples heard so far. */
  get heard(): number {
    return this.#audio.end
  }

  append(samples: NativeHeard['samples']): void {
    this.#audio.append(samples)
  }

  take(boundary: Boundary): void {
    const open = this.#utterances.at(-1)
    switch (boundary.type) {
      case 'start': {
        if (!boundary.goesOn) this.#listener.tell({ type: 'speech-start', time: boundary.at / RATE })
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
        // A guess of which nothing stays would only hold up what may become the final, and is shown in its place.
        if (!open.policy.commits && this.#work?.kind === 'partial') this.#work.controller.abort()
        break
      case 'resume':
        if (open === undefined) break
        delete open.pause
        delete open.ahead
        if (this.#work?.utterance === open && this.#work.kind === 'ahead') this.#work.controller.abort()
        break
      case 'end': {
        if (boundary.reason !== 'max') this.#listener.tell({ type: 'speech-end', time: boundary.at / RATE })
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

  /** Tells a warning, once. */
  warn(warning: Warning): void {
    if (this.#warnings.add(warning)) this.#listener.tell({ type: 'warning', ...warning })
  }

  /** Waits for the finals of all that has ended. */
  wait(waiting: Waiting): void {
    this.#waiting.push({ ...waiting, until: this.#count })
  }

  /** Drops everything. */
  stop(reason: unknown): void {
    this.#stopped = true
    this.#work?.controller.abort(reason)
    for (const { failed } of this.#waiting.splice(0)) failed(reason)
    this.#utterances = []
  }

  /** Starts the next decoding, if there is one to do and none runs. */
  advance(): void {
    if (this.#stopped) return
    const [oldest] = this.#utterances
    this.#audio.release(oldest?.start ?? this.#audio.end - this.#options.endpoints.lead - 2 * FRAME)
    this.#settle()
    if (oldest?.end !== undefined && oldest.ahead?.cut === oldest.end.cut) {
      this.#finish(oldest, oldest.ahead.text)
      this.advance()
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

  #policy(): Policy {
    switch (this.#options.policy) {
      case 'agreement':
        return new AgreementPolicy(this.#decoder, this.#memory)
      case 'alignatt':
        return new AlignAttPolicy(this.#decoder, this.#memory, this.#options.frameThreshold)
      case 'phrase':
        return new PhrasePolicy(this.#decoder)
    }
  }

  #drop(utterance: Utterance): void {
    this.#utterances = this.#utterances.filter((other) => other !== utterance)
    if (this.#work?.utterance === utterance) this.#work.controller.abort()
  }

  #nextStep({ end, pause, ahead, heard, policy }: Utterance): Work | undefined {
    if (end !== undefined) return 'final'
    if (pause !== undefined) return ahead === undefined ? 'ahead' : undefined
    if (!this.#options.partials && !policy.commits) return undefined
    return this.#audio.end - heard >= this.#options.step ? 'partial' : undefined
  }

  async #decode(utterance: Utterance, kind: Work): Promise<void> {
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
      if (!signal.aborted) this.#listener.failed(error)
    } finally {
      this.#work = undefined
      utterance.due = performance.now()
    }
    if (this.#stopped) return
    this.#tellStats()
    this.advance()
    this.#listener.settled()
  }

  #keepFinal(utterance: Utterance, kind: 'ahead' | 'final', cut: number, text: FinalText): void {
    if (kind === 'final') {
      this.#finish(utterance, text)
      return
    }
    if (utterance.pause === cut || utterance.end?.cut === cut) utterance.ahead = { cut, text }
    if (utterance.end === undefined && !utterance.policy.commits) {
      utterance.heard = cut
      this.#showPartial(utterance, text.words, 0)
    }
  }

  #showPartial(utterance: Utterance, words: readonly SpokenWord[], committed: number): void {
    const whole = textOf(words)
    const stays = textOf(words.slice(0, committed))
    if (!this.#options.partials || (whole === '' && !utterance.shown)) return
    utterance.shown = true
    this.#listener.tell({
      type: 'partial',
      utterance: utterance.number,
      revision: utterance.revision++,
      committed: stays,
      tentative: whole.slice(stays.length),
      words: withoutTokens(words),
      committedWords: committed,
    })
  }

  #finish(
    utterance: Utterance,
    { text, words, language, averageLogProbability, warnings = [] }: FinalText,
  ): void {
    const { cut, reason } = utterance.end ?? { cut: this.#audio.end, reason: 'end' as const }
    this.#drop(utterance)
    for (const warning of warnings) this.warn(warning)
    this.#memory.remember(words, averageLogProbability)
    this.#decodedSeconds += (cut - utterance.start) / RATE
    if (text === '' && !utterance.shown) return
    this.#listener.tell({
      type: 'final',
      utterance: utterance.number,
      text,
      words: withoutTokens(words),
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
    this.#listener.tell({
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

  #settle(): void {
    const next = this.#utterances[0]?.number ?? Number.POSITIVE_INFINITY
    const done = this.#waiting.filter(({ until }) => next >= until)
    if (done.length === 0) return
    this.#waiting = this.#waiting.filter((other) => !done.includes(other))
    for (const waiting of done) waiting.done()
    this.#listener.settled()
  }
}

/** Words as events have them. */
const withoutTokens = (words: readonly SpokenWord[]) => words.map(({ tokens: _, ...word }) => word)
