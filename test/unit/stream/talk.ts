import type { NativeHypothesis, NativeSegment } from '../../../lib/native.ts'
import { Decoder } from '../../../lib/stream/decoder.ts'
import { LoopMemory } from '../../../lib/stream/loop-guard.ts'
import { type PartialText, type Policy, textOf } from '../../../lib/stream/policies/policy.ts'
import { type FakeCall, FakeHost, guessOf, segmentOf, transcribeOptions, wordsOf } from './fakes.ts'

const RATE = 16_000
const never = new AbortController().signal
const urgency = { final: false, due: 0 }

/** A fake model that says what the test wrote for it, at once. */
class FakeModel extends FakeHost {
  next: NativeHypothesis = guessOf('')
  nextCareful = ''
  carefully: Partial<NativeSegment> = {}

  protected override asked(call: FakeCall): void {
    if (call.kind === 'careful')
      call.answerSegments(this.nextCareful === '' ? [] : [segmentOf(this.nextCareful, this.carefully)])
    else call.answer('', this.next)
  }

  get guesses(): FakeCall[] {
    return this.calls.filter(({ kind }) => kind === 'guess')
  }
}

/** An utterance that begins at second 5 and goes on. */
export class Talk {
  readonly model = new FakeModel()
  readonly policy: Policy

  constructor(policyOf: (decoder: Decoder, memory: LoopMemory) => Policy) {
    this.policy = policyOf(new Decoder(this.model, transcribeOptions()), new LoopMemory())
  }

  #audio(seconds: number) {
    const slice = (from: number, to: number) => new Float32Array(to - from)
    return { start: 5 * RATE, end: Math.round((5 + seconds) * RATE), slice }
  }

  /** What is shown when so many seconds were spoken. */
  async hear(seconds: number, guess: NativeHypothesis | string): Promise<[string, string]> {
    const { words, committed } = await this.partial(seconds, guess)
    const stays = textOf(words.slice(0, committed))
    return [stays, textOf(words).slice(stays.length)]
  }

  partial(seconds: number, guess: NativeHypothesis | string): Promise<PartialText> {
    this.model.next = typeof guess === 'string' ? guessOf(guess) : guess
    return this.policy.partial(this.#audio(seconds), urgency, never)
  }

  final(seconds: number, guess: NativeHypothesis | string) {
    this.model.next = typeof guess === 'string' ? guessOf(guess) : guess
    return this.policy.final(this.#audio(seconds), urgency, never)
  }
}

/** Words as they follow what is committed: `spoken` after so many seconds of the audio. */
export const tail = (text: string, from: number, changed: Partial<NativeHypothesis> = {}) =>
  guessOf('', { words: wordsOf(text, from), ...changed })
