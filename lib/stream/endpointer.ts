/** Samples of a frame: what Silero sees at once. 32 ms. */
export const FRAME = 512

/** When speech begins and ends. All lengths in samples at 16 kHz. */
export interface EndpointOptions {
  threshold: number
  negThreshold: number
  /** The pause that ends an utterance. */
  minSilence: number
  /** Kept before the speech … */
  lead: number
  /** … and after it; at most {@link minSilence}. */
  tail: number
  /** Longest utterance. */
  longest: number
}

/** What the newest frame has decided. Positions are samples from the start of the stream. */
export type Boundary =
  /** An utterance begins at `cut`, its speech at `at`: it began there, or goes on from an utterance that was too long. */
  | { type: 'start'; at: number; cut: number; goesOn: boolean }
  /** If nobody goes on speaking, the utterance ends at `cut`. */
  | { type: 'pause'; cut: number }
  /** Somebody goes on. */
  | { type: 'resume' }
  /** The utterance ends at `cut`; its speech ended at `at`, and lasted `spoken` samples. */
  | { type: 'end'; at: number; cut: number; spoken: number; reason: EndReason }

export type EndReason = 'silence' | 'max' | 'flush' | 'end'

/**
 * Turns the probabilities of speech, frame by frame, into utterances that do not overlap: Silero's rule with two thresholds, and a cut at
 * the quietest frame of the second half where an utterance is too long. binding/vad/speech_segmenter.cpp has the same rule for
 * recordings; a test holds them together (docs/decisions/0023-two-homes-of-one-rule.md).
 */
export class Endpointer {
  readonly #options: EndpointOptions
  #now = 0
  /** End of the last utterance. */
  #free = 0
  #speaking = false
  #start = 0
  #silence = -1
  #paused = false
  #spoken = 0
  /** Of each frame since {@link #start}. */
  #probabilities: number[] = []

  constructor(options: EndpointOptions) {
    this.#options = options
  }

  /** @param end of the audio so far: where it is less than a frame away, that is the last frame */
  push(probability: number, end: number): Boundary[] {
    const found: Boundary[] = []
    const begin = this.#now
    this.#now = Math.min(begin + FRAME, end)
    if (probability >= this.#options.threshold) {
      if (this.#paused) found.push({ type: 'resume' })
      this.#paused = false
      this.#silence = -1
      if (!this.#speaking) {
        const cut = Math.max(begin - this.#options.lead, this.#free)
        found.push(this.#begin(Math.max(begin, cut), cut, false))
      }
      this.#spoken += FRAME
    }
    if (!this.#speaking) return found
    this.#probabilities.push(probability)
    if (probability < this.#options.negThreshold) this.#listen(begin, found)
    if (this.#speaking && this.#now + FRAME - this.#start > this.#options.longest) this.#cut(begin, found)
    return found
  }

  /** Ends the utterance that goes on now, at `end`: the last sample so far. */
  close(end: number, reason: 'flush' | 'end'): Boundary[] {
    if (!this.#speaking) return []
    const at = this.#silence < 0 ? end : Math.min(this.#silence, end)
    const cut = this.#silence < 0 ? end : Math.min(end, this.#silence + this.#options.tail)
    return [this.#end(at, cut, reason)]
  }

  #begin(at: number, cut: number, goesOn: boolean): Boundary {
    this.#speaking = true
    this.#start = cut
    this.#spoken = 0
    this.#probabilities = new Array(Math.ceil((at - cut) / FRAME)).fill(0)
    return { type: 'start', at, cut, goesOn }
  }

  #listen(begin: number, found: Boundary[]): void {
    if (this.#silence < 0) this.#silence = begin
    const cut = this.#silence + this.#options.tail
    if (this.#now - this.#silence >= this.#options.minSilence) {
      found.push(this.#end(this.#silence, cut, 'silence'))
    } else if (!this.#paused && this.#now >= cut) {
      this.#paused = true
      found.push({ type: 'pause', cut })
    }
  }

  /** @param begin of the newest frame */
  #cut(begin: number, found: Boundary[]): void {
    const frames = this.#probabilities
    let quietest = frames.length - 1
    for (let i = quietest; i >= Math.floor(frames.length / 2); i--) {
      if ((frames[i] ?? 0) < (frames[quietest] ?? 0)) quietest = i
    }
    const middle = begin - (frames.length - 1 - quietest) * FRAME + FRAME / 2
    const cut = Math.min(middle, this.#now)
    const silence = this.#silence
    const rest = frames.slice(quietest)
    const { threshold } = this.#options
    const spokenInRest = rest.filter((probability) => probability >= threshold).length * FRAME
    this.#spoken -= spokenInRest
    found.push(this.#end(cut, cut, 'max'), this.#begin(cut, cut, true))
    this.#probabilities = rest
    this.#spoken = spokenInRest
    this.#silence = silence < 0 ? -1 : Math.max(silence, cut)
  }

  #end(at: number, cut: number, reason: EndReason): Boundary {
    this.#speaking = false
    this.#paused = false
    this.#silence = -1
    this.#free = cut
    return { type: 'end', at, cut, spoken: this.#spoken, reason }
  }
}
