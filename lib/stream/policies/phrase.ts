import type { Decoder, Urgency } from '../decoder.ts'
import { decodeCarefully } from './careful.ts'
import { type FinalText, inStream, type PartialText, type Policy, type UtteranceAudio } from './policy.ts'

/**
 * Decodes each utterance once, when it has ended, exactly as a file of the same samples. What is shown before is a quick guess at all of it, of
 * which nothing is committed.
 */
export class PhrasePolicy implements Policy {
  readonly commits = false
  readonly #decoder: Decoder

  constructor(decoder: Decoder) {
    this.#decoder = decoder
  }

  async partial(audio: UtteranceAudio, urgency: Urgency, signal: AbortSignal): Promise<PartialText> {
    const samples = audio.slice(audio.start, audio.end)
    const guess = await this.#decoder.guessTwice(
      samples,
      { context: '', prefix: [], beamSize: 1 },
      urgency,
      signal,
    )
    return { words: inStream(guess.words, audio.start), committed: 0 }
  }

  final(audio: UtteranceAudio, urgency: Urgency, signal: AbortSignal): Promise<FinalText> {
    return decodeCarefully(this.#decoder, audio, urgency, signal)
  }
}
