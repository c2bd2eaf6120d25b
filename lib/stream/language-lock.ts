/** This probable in this many seconds of speech, and the language is sure. */
const SURE = 0.8
const LEAST_SECONDS = 2
/** After as much speech the language that was most probable is kept. */
const MOST_SECONDS = 15

/**
 * The language of a stream: given, or detected until it is sure. Detected anew for each piece of audio it would change back and forth.
 */
export class LanguageLock {
  #language: string
  #seconds = 0
  readonly #weights = new Map<string, number>()

  /** @param given ISO code, or '' to detect */
  constructor(given: string) {
    this.#language = given
  }

  /** The language, or '' while it is not sure. */
  get current(): string {
    return this.#language
  }

  /** What was detected in so many seconds of speech. */
  hear(language: string, probability: number, seconds: number): void {
    if (this.#language !== '') return
    if (probability >= SURE && seconds >= LEAST_SECONDS) {
      this.#language = language
      return
    }
    this.#seconds += seconds
    this.#weights.set(language, (this.#weights.get(language) ?? 0) + probability * seconds)
    if (this.#seconds < MOST_SECONDS) return
    const [best] = [...this.#weights].sort((a, b) => b[1] - a[1])
    if (best !== undefined) this.#language = best[0]
  }
}
