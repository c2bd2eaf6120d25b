import { normalizeWord } from '../normalize.ts'
import { CommittingPolicy, type Tail } from './committing.ts'

/** A word that ends closer to the end of the audio may be half of one … */
const UNFINISHED_SECONDS = 0.7
/** … and one that the model is not sure of may become another when more was heard. */
const UNSURE_SECONDS = 2
const SURE_PROBABILITY = 0.5

/**
 * Commits words as soon as two decodings in a row agree on them: LocalAgreement-2 (Macháček, Dabre and Bojar, "Turning Whisper into
 * Real-Time Transcription System", 2023). Words are compared without case and punctuation.
 */
export class AgreementPolicy extends CommittingPolicy {
  protected override settled({ words, previous, now }: Tail): number {
    const differs = words.findIndex((word, i) => {
      const before = previous[i]
      const patience = word.probability < SURE_PROBABILITY ? UNSURE_SECONDS : UNFINISHED_SECONDS
      if (before === undefined || word.end > now - patience) return true
      return normalizeWord(word.text) !== normalizeWord(before.text)
    })
    return differs < 0 ? words.length : differs
  }
}
