import { describe, expect, it } from 'vitest'
import { Decoder } from '../../../lib/stream/decoder.ts'
import { PhrasePolicy } from '../../../lib/stream/policies/phrase.ts'
import { FakeHost, segmentOf, settled, transcribeOptions } from './fakes.ts'

const RATE = 16_000
const never = new AbortController().signal
const urgency = { final: false, due: 0 }

/** An utterance from second 10 to 14. */
const audio = {
  start: 10 * RATE,
  end: 14 * RATE,
  slice: (from: number, to: number) => Float32Array.from({ length: to - from }, (_, i) => from + i),
}

function made() {
  const host = new FakeHost()
  return { host, policy: new PhrasePolicy(new Decoder(host, transcribeOptions())) }
}

describe('PhrasePolicy', () => {
  it('guesses quickly at all of it, and commits nothing', async () => {
    const { host, policy } = made()
    const work = policy.partial(audio, urgency, never)
    await settled()
    const [call] = host.calls
    expect(call).toMatchObject({ kind: 'guess', options: { beamSize: 1, prefix: [], prompt: [] } })
    expect(call?.samples).toEqual(audio.slice(10 * RATE, 14 * RATE))
    call?.answer(' One two')
    const { words, committed } = await work
    expect(committed).toBe(0)
    expect(words.map(({ text, start, end }) => [text, start, end])).toEqual([
      [' One', 10, 10.3],
      [' two', 10.4, expect.closeTo(10.7)],
    ])
  })

  it('decodes the samples of the utterance carefully, with the options of a file', async () => {
    const { host, policy } = made()
    const work = policy.final(audio, urgency, never)
    await settled()
    const [call] = host.calls
    expect(call?.kind).toBe('careful')
    expect(call?.options).toEqual(transcribeOptions())
    expect(call?.samples).toEqual(audio.slice(10 * RATE, 14 * RATE))
    call?.answerSegments(
      [
        segmentOf(' One two', { averageLogProbability: -0.1 }),
        segmentOf(' three', { averageLogProbability: -0.4 }),
      ],
      { language: 'de' },
    )
    const { text, words, language, averageLogProbability } = await work
    expect({ text, language }).toEqual({ text: 'One two three', language: 'de' })
    expect(words.map((word) => word.text)).toEqual([' One', ' two', ' three'])
    expect(words[0]).toMatchObject({ start: 10, end: 10.3 })
    // The mean of the tokens.
    expect(averageLogProbability).toBeCloseTo(-0.2)
  })

  it('has no text where nothing was said', async () => {
    const { host, policy } = made()
    const work = policy.final(audio, urgency, never)
    await settled()
    host.calls[0]?.answer('')
    expect(await work).toEqual({
      text: '',
      words: [],
      language: 'en',
      warnings: [],
      averageLogProbability: 0,
    })
  })
})
