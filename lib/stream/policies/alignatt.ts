import type { Decoder } from '../decoder.ts'
import type { LoopMemory } from '../loop-guard.ts'
import { CommittingPolicy, type Tail } from './committing.ts'

/** Seconds of a position of the encoder's output. */
const POSITION_SECONDS = 0.02
/** Attention that jumps back further than this has lost its place in the audio. */
const REWIND_SECONDS = 4
/** A word that the model is not sure of may become another when this much more was heard. */
const UNSURE_SECONDS = 2
const SURE_PROBABILITY = 0.5
/** Begins what Whisper writes for sounds, such as `[Music]` or `(speaking foreign language)`. */
const NOTE = /^\s*[([{*♪♫]/u

/**
 * Commits words as soon as the audio that they were heard in lies far enough before the end of what was heard: AlignAtt (Papi, Turchi and
 * Negri, 2023), as Simul-Whisper (Wang et al., 2024) and SimulStreaming use it for Whisper.
 *
 * They look at the attention while they decode, and stop at the first token that attends to the last positions. Here a decoding goes on to
 * its end, and a word attends to where the alignment of its whole text with the audio lets it end. As with them, a word that is the last of its
 * text is not committed, because it may be half of one, and nothing is when attention has jumped back.
 *
 * Nobody confirms a word here, so that a mistake stays and the text goes on from it. Words that the model is not sure of therefore wait for more
 * audio, and notes of sounds for the final: after one, the model writes no more of the speech.
 */
export class AlignAttPolicy extends CommittingPolicy {
  readonly #margin: number

  /** @param frameThreshold positions of 20 ms between a word and the end of the audio */
  constructor(decoder: Decoder, memory: LoopMemory, frameThreshold: number) {
    super(decoder, memory)
    this.#margin = frameThreshold * POSITION_SECONDS
  }

  protected override settled({ words, committed, now }: Tail): number {
    const [first] = words
    if (first !== undefined && committed !== undefined && first.end < committed.end - REWIND_SECONDS) return 0
    const waits = words.findIndex(({ text, end, probability }, i) => {
      const margin = probability < SURE_PROBABILITY ? Math.max(this.#margin, UNSURE_SECONDS) : this.#margin
      return i === words.length - 1 || end > now - margin || NOTE.test(text)
    })
    return Math.max(waits, 0)
  }
}
