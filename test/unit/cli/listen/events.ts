import type { FinalEvent, PartialEvent } from '../../../../lib/stream/types.ts'
import type { Word } from '../../../../lib/transcribe/types.ts'

/** Words of half a second each, from `start` on, with the space before each that has one in the text. */
function wordsOf(text: string, start = 0): Word[] {
  return [...text.matchAll(/\s*\S+/g)].map(([word], i) => ({
    text: word,
    start: start + i / 2,
    end: start + (i + 1) / 2,
    probability: 1,
  }))
}

export function partial(committed: string, tentative: string, utterance = 0): PartialEvent {
  const words = wordsOf(committed + tentative)
  return {
    type: 'partial',
    utterance,
    revision: 0,
    committed,
    tentative,
    words,
    committedWords: wordsOf(committed).length,
  }
}

export function final(text: string, more: Partial<FinalEvent> = {}): FinalEvent {
  return {
    type: 'final',
    utterance: 0,
    text,
    words: wordsOf(text, more.start),
    start: 0,
    end: 10,
    reason: 'silence',
    language: 'en',
    averageLogProbability: -0.1,
    ...more,
  }
}
