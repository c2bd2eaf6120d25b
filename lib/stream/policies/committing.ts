import { lengthOfSame } from '../align-words.ts'
import type { Decoder, GuessQuestion, Urgency } from '../decoder.ts'
import type { LoopMemory } from '../loop-guard.ts'
import { normalizeWord } from '../normalize.ts'
import { decodeCarefully } from './careful.ts'
import {
  type FinalText,
  inStream,
  type PartialText,
  type Policy,
  type SpokenWord,
  textOf,
  type UtteranceAudio,
} from './policy.ts'

const RATE = 16_000
/** Audio that is decoded again and again: beyond the first length it is trimmed at a good place, beyond the second at any. */
const TRIM_SECONDS = 9
const FORCED_TRIM_SECONDS = 18
/** Kept before the newest committed words when audio is trimmed. */
const KEPT_SECONDS = 3
/** Text before the audio that is given as its context. */
const CONTEXT_CHARACTERS = 200

/** What a decoding wrote after the committed words, and what the one before did. */
export interface Tail {
  words: readonly SpokenWord[]
  previous: readonly SpokenWord[]
  /** The newest committed word. */
  committed: SpokenWord | undefined
  /** Seconds of the stream: how far the audio goes. */
  now: number
}

/**
 * Commits words while somebody speaks; which ones, is for those that extend it. What is committed is given to the model as the beginning of
 * its text, so that it cannot be written twice or otherwise. Nothing of a loop is committed, nor given to the model as context.
 */
export abstract class CommittingPolicy implements Policy {
  readonly commits = true
  readonly #decoder: Decoder
  readonly #memory: LoopMemory
  /** All that stays. */
  #committed: SpokenWord[] = []
  /** How many of them lie before {@link #from}. */
  #trimmed = 0
  /** Where the audio begins that is still decoded; -1 at first. */
  #from = -1
  /** What the last decoding wrote after the committed words. */
  #previous: SpokenWord[] = []
  #contextIsGood = true

  constructor(decoder: Decoder, memory: LoopMemory) {
    this.#decoder = decoder
    this.#memory = memory
  }

  /** How many of the words of a good decoding stay. */
  protected abstract settled(tail: Tail): number

  async partial(audio: UtteranceAudio, urgency: Urgency, signal: AbortSignal): Promise<PartialText> {
    if (this.#from < 0) this.#from = audio.start
    const samples = audio.slice(this.#from, audio.end)
    const guess = await this.#decoder.guessTwice(samples, this.#question(), urgency, signal)
    const tail = inStream(guess.words, this.#from)
    const sound = this.#withoutLoop(tail, guess)
    const isGood = sound.length === tail.length && !this.#decoder.isSuspicious(guess)
    this.#contextIsGood = isGood
    if (isGood) this.#commit(sound, guess.continues, audio.end / RATE)
    else this.#previous = []
    const rest = isGood ? this.#previous : sound
    this.#trim(audio.end)
    return { words: [...this.#committed, ...rest], committed: this.#committed.length }
  }

  async final(audio: UtteranceAudio, urgency: Urgency, signal: AbortSignal): Promise<FinalText> {
    const from = this.#from < 0 ? audio.start : this.#from
    const guess = await this.#decoder.guess(audio.slice(from, audio.end), this.#question(), urgency, signal)
    const tail = inStream(guess.words, from)
    if (this.#withoutLoop(tail, guess).length < tail.length || this.#decoder.isSuspicious(guess)) {
      return this.#carefulFinal({ ...audio, start: from }, urgency, signal)
    }
    const words = joined(this.#committed, tail, guess.continues)
    const { language, averageLogProbability } = guess
    return { text: textOf(words), words, language, averageLogProbability }
  }

  /** The rest of the utterance, from a decoding that does not know what was committed. */
  async #carefulFinal(audio: UtteranceAudio, urgency: Urgency, signal: AbortSignal): Promise<FinalText> {
    const careful = await decodeCarefully(this.#decoder, audio, urgency, signal)
    const inAudio = this.#committed.slice(this.#trimmed)
    const same = lengthOfSame(
      inAudio.map(({ text }) => normalizeWord(text)),
      careful.words.map(({ text }) => normalizeWord(text)),
    )
    const words = [...this.#committed, ...this.#withoutLoop(careful.words.slice(same), careful)]
    return { ...careful, text: textOf(words), words }
  }

  #question(): GuessQuestion {
    const prefix = this.#committed.slice(this.#trimmed).flatMap(({ tokens }) => tokens)
    const before = this.#committed.slice(0, this.#trimmed).map(({ text }) => text)
    const context = this.#contextIsGood ? before.join('').slice(-CONTEXT_CHARACTERS) : ''
    return { context, prefix, beamSize: this.#decoder.beamSize }
  }

  /** The new words up to the point where the text begins to repeat itself. */
  #withoutLoop(
    tail: readonly SpokenWord[],
    { averageLogProbability }: Pick<FinalText, 'averageLogProbability'>,
  ): SpokenWord[] {
    return this.#memory.withoutLoop(this.#committed, tail, averageLogProbability)
  }

  #commit(words: readonly SpokenWord[], continues: boolean, now: number): void {
    const count = this.settled({ words, previous: this.#previous, committed: this.#committed.at(-1), now })
    this.#committed = joined(this.#committed, words.slice(0, count), continues)
    this.#previous = words.slice(count)
  }

  /** Lets go of audio whose words are committed, so that a long utterance costs no more than a short one. */
  #trim(end: number): void {
    const seconds = (end - this.#from) / RATE
    if (seconds <= TRIM_SECONDS) return
    const latest = end / RATE - KEPT_SECONDS
    let place = -1
    for (let i = this.#trimmed; i < this.#committed.length; i++) {
      const word = this.#committed[i]
      if (word === undefined || word.end > latest) break
      if (seconds > FORCED_TRIM_SECONDS || endsClause(word, this.#committed[i + 1])) place = i
    }
    if (place >= 0) {
      this.#trimmed = place + 1
      this.#from = Math.round((this.#committed[place]?.end ?? 0) * RATE)
    } else if (seconds > FORCED_TRIM_SECONDS) {
      // Nothing was agreed on for a long time: what cannot be understood is not decoded for ever.
      this.#committed = joined(
        this.#committed,
        this.#previous.filter((word) => word.end <= latest),
        false,
      )
      this.#previous = []
      this.#trimmed = this.#committed.length
      this.#from = Math.round(latest * RATE)
    }
  }
}

/** Whether a pause or punctuation follows. */
function endsClause(word: SpokenWord, next: SpokenWord | undefined): boolean {
  return /[.,;:!?。、！？…]$/u.test(word.text) || (next !== undefined && next.start - word.end > 0.2)
}

/** Words after others; the first may be the rest of the last. */
function joined(words: readonly SpokenWord[], more: readonly SpokenWord[], continues: boolean): SpokenWord[] {
  const last = words.at(-1)
  const [first, ...rest] = more
  if (!continues || last === undefined || first === undefined) return [...words, ...more]
  const whole = {
    ...last,
    text: last.text + first.text,
    end: first.end,
    tokens: [...last.tokens, ...first.tokens],
  }
  return [...words.slice(0, -1), whole, ...rest]
}
