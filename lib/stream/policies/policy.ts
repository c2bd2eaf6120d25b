import type { Word } from '../../transcribe/types.ts'
import type { Warning } from '../../warnings.ts'
import type { Urgency } from '../decoder.ts'

/** A word of a stream, which tells no speakers apart. */
type PlainWord = Omit<Word, 'speaker'>

/** A word with the tokens that it consists of. */
export interface SpokenWord extends PlainWord {
  tokens: number[]
}

/** The audio of an utterance. Positions are samples from the start of the stream. */
export interface UtteranceAudio {
  start: number
  /** How far it goes now. */
  end: number
  slice(from: number, to: number): Float32Array
}

/** What a policy makes of an utterance that goes on. */
export interface PartialText {
  /** First those that stay. */
  words: SpokenWord[]
  committed: number
}

/** What a policy makes of an utterance that has ended. */
export interface FinalText {
  text: string
  words: SpokenWord[]
  language: string
  averageLogProbability: number
  /** Times are those of the stream. */
  warnings?: Warning[]
}

/** How the text of one utterance becomes final. One object per utterance; its calls do not overlap. */
export interface Policy {
  /** Whether partials have words that stay. */
  readonly commits: boolean
  partial(audio: UtteranceAudio, urgency: Urgency, signal: AbortSignal): Promise<PartialText>
  /** May be asked again, when the utterance goes on after all: it changes nothing. */
  final(audio: UtteranceAudio, urgency: Urgency, signal: AbortSignal): Promise<FinalText>
}

const RATE = 16_000

/** Words whose times count from the sample `from` of the stream. */
export function inStream<T extends PlainWord>(words: readonly T[], from: number): T[] {
  const offset = from / RATE
  return words.map((word) => ({ ...word, start: word.start + offset, end: word.end + offset }))
}

/** The text of words, as it is shown. */
export function textOf(words: readonly PlainWord[]): string {
  return words
    .map(({ text }) => text)
    .join('')
    .trim()
}
