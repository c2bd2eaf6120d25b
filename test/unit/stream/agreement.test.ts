import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NativeWord } from '../../../lib/native.ts'
import { lengthBeforeLoop } from '../../../lib/stream/loop-guard.ts'
import { normalizeWord } from '../../../lib/stream/normalize.ts'
import { AgreementPolicy } from '../../../lib/stream/policies/agreement.ts'
import { textOf } from '../../../lib/stream/policies/policy.ts'
import { type FakeCall, guessOf } from './fakes.ts'
import { Talk, tail } from './talk.ts'

const talkOf = () => new Talk((decoder, memory) => new AgreementPolicy(decoder, memory))

describe('words are committed', () => {
  it('when two guesses in a row agree on them', async () => {
    const talk = talkOf()
    expect(await talk.hear(2, ' We went home')).toEqual(['', 'We went home'])
    expect(await talk.hear(3, ' We went out today')).toEqual(['We went', ' out today'])
    expect(await talk.hear(4, tail(' out today then', 0.8))).toEqual(['We went out today', ' then'])
  })

  it('without regard to case and punctuation, as the newer guess writes them', async () => {
    const talk = talkOf()
    await talk.hear(2, ' we went, Home')
    expect(await talk.hear(3, ' We went home.')).toEqual(['We went home.', ''])
  })

  it('not while they may be half of a word', async () => {
    const talk = talkOf()
    await talk.hear(1, ' We wen')
    // "went" ends at 0.7 s.
    expect(await talk.hear(1.2, ' We wen')).toEqual(['We', ' wen'])
  })

  it('once: they are given to the model as the beginning of its text', async () => {
    const talk = talkOf()
    await talk.hear(2, ' We went home')
    await talk.hear(3, ' We went out')
    await talk.hear(4, tail(' out', 0.8))
    expect(talk.model.guesses.map(({ options }) => options.prefix)).toEqual([[], [], [3, 5]])
  })

  it('with their times in the stream', async () => {
    const talk = talkOf()
    await talk.partial(2, ' We went')
    const { words, committed } = await talk.partial(3, ' We went')
    expect(committed).toBe(2)
    expect(words.map(({ start, end }) => [start, end])).toEqual([
      [5, 5.3],
      [expect.closeTo(5.4), expect.closeTo(5.7)],
    ])
  })
})

describe('a guess that goes on within a word', () => {
  it('makes one word of both parts', async () => {
    const talk = talkOf()
    await talk.hear(2, ' Some')
    expect(await talk.hear(3, ' Some')).toEqual(['Some', ''])
    const rest = () => tail('body came', 0.3, { continues: true })
    expect(await talk.hear(4, rest())).toEqual(['Some', 'body came'])
    const { words, committed } = await talk.partial(5, rest())
    expect(committed).toBe(2)
    expect(words.map(({ text, tokens }) => [text, tokens])).toEqual([
      [' Somebody', [5, 4]],
      [' came', [5]],
    ])
    expect(words[0]).toMatchObject({ start: 5, end: expect.closeTo(5.6) })
    const { text } = await talk.final(6, tail(', then', 1, { continues: true }))
    expect(text).toBe('Somebody came, then')
  })
})

describe('a guess that is not to be trusted', () => {
  const loop = ' no no no no no no'

  it.each([
    ['a loop', loop, {}],
    ['what the search found to repeat itself', ' We went', { repeats: true }],
    ['what is improbable', ' We went', { averageLogProbability: -1.2 }],
    ['what can be compressed too well', ' We went', { compressionRatio: 3 }],
  ])('%s: nothing of it is committed', async (_, text, changed) => {
    const talk = talkOf()
    for (let seconds = 3; seconds < 9; seconds++) {
      expect((await talk.hear(seconds, guessOf(text, changed)))[0]).toBe('')
    }
    // Nor does it agree with the next one.
    expect(await talk.hear(9, text === loop ? ' no' : text)).toEqual(['', text === loop ? 'no' : text.trim()])
  })

  it('a loop: only the first of the repetitions is shown', async () => {
    const talk = talkOf()
    expect(await talk.hear(9, ` So${loop}`)).toEqual(['', 'So no'])
  })

  it('a loop that goes on from what is committed is found', async () => {
    const talk = talkOf()
    await talk.hear(4, ' we are here we are here')
    await talk.hear(5, ' we are here we are here')
    expect(await talk.hear(6, tail(' we are here', 2.4))).toEqual(['we are here we are here', ''])
    expect(await talk.hear(7, tail(' we are here', 2.4))).toEqual(['we are here we are here', ''])
  })

  it.each([
    ['unsure', -0.77, 2],
    ['sure', -0.3, 3],
  ])('a phrase is committed a third time only when the model is sure of it: %s', async (_, sure, times) => {
    const talk = talkOf()
    const changed = { averageLogProbability: sure }
    const twice = " What's up? What's up?"
    await talk.hear(4, guessOf(twice, changed))
    expect((await talk.hear(5, guessOf(twice, changed)))[0]).toBe(twice.trim())
    await talk.hear(6, tail(" What's up?", 1.6, changed))
    const [committed] = await talk.hear(7, tail(" What's up?", 1.6, changed))
    expect(committed).toBe(Array(times).fill("What's up?").join(' '))
  })

  it('nor is it in the final when a careful look is not sure of it either', async () => {
    const talk = talkOf()
    talk.model.carefully = { averageLogProbability: -0.77 }
    talk.model.nextCareful = " What's up? What's up? What's up?"
    expect((await talk.final(9, guessOf(talk.model.nextCareful, talk.model.carefully))).text).toBe(
      "What's up?",
    )
  })

  it('a phrase said three times without being sure stays when a careful look is sure of it', async () => {
    const talk = talkOf()
    talk.model.nextCareful = " What's up? What's up? What's up?"
    const unsure = guessOf(talk.model.nextCareful, { averageLogProbability: -0.77 })
    expect((await talk.final(9, unsure)).text).toBe(talk.model.nextCareful.trim())
    expect(talk.model.calls.at(-1)?.kind).toBe('careful')
  })

  it('is not given to the model as context', async () => {
    const talk = talkOf()
    await longTalk(talk)
    expect(talk.model.calls.at(-1)?.options.prompt).not.toBe('')
    await talk.hear(60, guessOf('', { repeats: true }))
    await talk.hear(60.5, '')
    expect(talk.model.calls.at(-1)?.options.prompt).toEqual([])
  })
})

/** Half a minute of sentences of which each is committed at once. */
async function longTalk(talk: Talk): Promise<void> {
  let said = 0
  for (let seconds = 1; seconds < 30; seconds++) {
    const from = () => (talk.model.calls.at(-1)?.seconds ?? 1) - 1
    const text = ` word${said++}.`
    await talk.hear(seconds, tail(text, Math.max(from(), 0)))
    await talk.hear(seconds + 0.5, tail(text, Math.max(from(), 0)))
  }
}

describe('a long utterance', () => {
  it('is not decoded from its beginning for ever', async () => {
    const talk = talkOf()
    await longTalk(talk)
    for (const { seconds } of talk.model.calls) expect(seconds).toBeLessThan(20)
    const { prompt, prefix } = (talk.model.calls.at(-1) as FakeCall).options
    expect(String.fromCodePoint(...prompt)).toMatch(/word1\d\.$|word2\d\.$/)
    expect(prompt.length).toBeLessThanOrEqual(200)
    expect(prefix.length).toBeLessThan(20)
  })

  it('is trimmed though nothing is agreed on', async () => {
    const talk = talkOf()
    for (let seconds = 1; seconds < 60; seconds++)
      await talk.hear(seconds, ` never${seconds} the${seconds} same${seconds}`)
    for (const { seconds } of talk.model.calls) expect(seconds).toBeLessThan(25)
  })
})

describe('the final', () => {
  it('is what is committed and the rest', async () => {
    const talk = talkOf()
    await talk.hear(2, ' We went home')
    await talk.hear(3, ' We went out')
    const { text, words, averageLogProbability } = await talk.final(4, tail(' home again.', 0.8))
    expect(text).toBe('We went home again.')
    expect(words.map((word) => word.text).join('')).toBe(' We went home again.')
    expect(averageLogProbability).toBe(-0.2)
    expect(talk.model.guesses).toHaveLength(talk.model.calls.length)
  })

  it('is all of it where nothing is committed', async () => {
    const talk = talkOf()
    await talk.hear(2, ' We went home')
    talk.model.nextCareful = ' He went out.'
    expect((await talk.final(3, ' He went out.')).text).toBe('He went out.')
  })

  it('is all of it where no partial was made', async () => {
    const talk = talkOf()
    talk.model.nextCareful = ' Yes.'
    const { text, words } = await talk.final(1, ' Yes.')
    expect(text).toBe('Yes.')
    expect(words).toMatchObject([{ start: 5, end: 5.3 }])
  })

  it.each([
    ['repeats itself', tail(' no no no no no no', 0.8)],
    ['is improbable', tail(' home', 0.8, { averageLogProbability: -2 })],
  ])('is decoded carefully where the rest %s, and goes on from what is committed', async (_, guess) => {
    const talk = talkOf()
    await talk.hear(2, ' We went')
    await talk.hear(3, ' We went')
    talk.model.nextCareful = ' He went home.'
    expect((await talk.final(4, guess)).text).toBe('We went home.')
    expect(talk.model.calls.at(-1)?.kind).toBe('careful')
  })

  it('may be asked again', async () => {
    const talk = talkOf()
    await talk.hear(2, ' We went')
    await talk.hear(3, ' We went')
    const ahead = await talk.final(4, tail(' home.', 0.8))
    expect(await talk.final(4, tail(' home.', 0.8))).toEqual(ahead)
    expect(await talk.hear(5, tail(' home now', 0.8))).toEqual(['We went', ' home now'])
  })
})

describe('whatever the model says', () => {
  const word = fc.tuple(
    fc.constantFrom(' a', ' b', ' c', ' d.', ' E', 'f', ',', '日', ' thank', ' you'),
    fc.double({ min: 0, max: 0.6, noNaN: true }),
    fc.double({ min: 0, max: 1.5, noNaN: true }),
  )
  const guess = fc
    .record({
      said: fc.array(word, { maxLength: 14 }),
      again: fc.boolean(),
      continues: fc.boolean(),
      repeats: fc.boolean(),
      averageLogProbability: fc.constantFrom(-0.1, -0.5, -2),
      step: fc.double({ min: 0.2, max: 5, noNaN: true }),
    })
    .map(({ said, repeats, ...rest }) => ({ ...rest, repeats: repeats && rest.step > 4, words: timed(said) }))

  /** Words of which each begins after the one before. */
  function timed(said: readonly (readonly [string, number, number])[]): NativeWord[] {
    let at = 0
    return said.map(([text, length, gap]) => {
      const start = at + gap
      at = start + length
      return { text, start, end: at, probability: 0.5, tokens: [text.length] }
    })
  }

  it('what is committed only grows, holds no loop, and the final begins with it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(guess, { maxLength: 20 }), fc.boolean(), async (guesses, isGood) => {
        const talk = talkOf()
        let seconds = 0
        let last = { text: '', words: 0 }
        let previous: NativeWord[] = []
        for (const { words, again, step, continues, repeats, averageLogProbability } of guesses) {
          seconds += step
          // Two guesses in a row rarely agree by chance.
          if (!again) previous = words
          const said = { words: previous, continues, repeats, averageLogProbability }
          const partial = await talk.partial(seconds, guessOf('', said))
          const stays = partial.words.slice(0, partial.committed)
          const text = textOf(stays)
          expect(partial.committed).toBeLessThanOrEqual(partial.words.length)
          expect(text.startsWith(last.text)).toBe(true)
          expect(textOf(partial.words).startsWith(text)).toBe(true)
          const plain = [...partial.words.slice(0, last.words), ...previous].map((each) =>
            normalizeWord(each.text),
          )
          if (
            repeats ||
            averageLogProbability < -1 ||
            lengthBeforeLoop(plain.slice(-20)) < Math.min(plain.length, 20)
          )
            expect(text).toBe(last.text)
          last = { text, words: partial.committed }
        }
        talk.model.nextCareful = ' a b c'
        const final = await talk.final(
          seconds + 1,
          guessOf(' c d', { averageLogProbability: isGood ? -0.1 : -2 }),
        )
        expect(final.text.startsWith(last.text)).toBe(true)
        expect(final.text).toBe(textOf(final.words))
      }),
      { numRuns: 500 },
    )
  })
})
