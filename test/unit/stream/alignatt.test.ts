import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NativeWord } from '../../../lib/native.ts'
import { AlignAttPolicy } from '../../../lib/stream/policies/alignatt.ts'
import { textOf } from '../../../lib/stream/policies/policy.ts'
import { guessOf, wordsOf } from './fakes.ts'
import { Talk, tail } from './talk.ts'

const talkOf = (frames = 25) => new Talk((decoder, memory) => new AlignAttPolicy(decoder, memory, frames))

describe('words are committed', () => {
  it('after one guess, when they lie far enough before the end of the audio', async () => {
    const talk = talkOf()
    // The words end at 0.3, 0.7, 1.1 and 1.5 s.
    expect(await talk.hear(1.5, ' We went home then')).toEqual(['We went', ' home then'])
    expect(await talk.hear(1.61, tail(' home then he', 0.8))).toEqual(['We went home', ' then he'])
  })

  it.each([
    [1, 'We went home'],
    [25, 'We went'],
    [50, 'We'],
    [250, ''],
  ])('%i positions before it', async (frames, committed) => {
    expect((await talkOf(frames).hear(1.5, ' We went home then'))[0]).toBe(committed)
  })

  it('but for the last of a text, however long nothing follows', async () => {
    const talk = talkOf()
    expect(await talk.hear(1, ' We')).toEqual(['', 'We'])
    expect(await talk.hear(4, ' We went.')).toEqual(['We', ' went.'])
    expect(await talk.hear(5, tail(' went.', 0.4))).toEqual(['We', ' went.'])
    expect(await talk.hear(6, tail(' went home', 0.4))).toEqual(['We went', ' home'])
  })

  it('later, when the model is not sure of them', async () => {
    const talk = talkOf()
    const words = (probability: number) =>
      wordsOf(' We went home then').map((word, i) => (i === 1 ? { ...word, probability } : word))
    // "went" ends at 0.7 s.
    expect((await talk.hear(2.6, guessOf('', { words: words(0.4) })))[0]).toBe('We')
    expect((await talk.hear(2.8, tail(' went home then', 0.4)))[0]).toBe('We went home')
    expect((await talkOf().hear(2.8, guessOf('', { words: words(0.4) })))[0]).toBe('We went home')
    expect((await talkOf(150).hear(3.5, guessOf('', { words: words(0.4) })))[0]).toBe('We')
  })

  it.each([' (speaking foreign language) he', ' [Music] he', ' ♪ he ♪', ' *coughs* he'])(
    'but for notes of sounds, and what follows them:%s',
    async (note) => {
      const talk = talkOf()
      expect((await talk.hear(8, ` We went${note} said`))[0]).toBe('We went')
      expect((await talk.hear(9, tail(' home again then', 0.8)))[0]).toBe('We went home again')
    },
  )

  it('once: they are given to the model as the beginning of its text', async () => {
    const talk = talkOf()
    await talk.hear(2, ' We went home')
    await talk.hear(3, tail(' home', 0.8))
    expect(talk.model.guesses.map(({ options }) => options.prefix)).toEqual([[], [3, 5]])
  })

  it('with their times in the stream', async () => {
    const { words, committed } = await talkOf().partial(2, ' We went')
    expect(committed).toBe(1)
    expect(words[0]).toMatchObject({ start: 5, end: 5.3 })
  })

  it('though the newest one turns out to be half of one: the rest joins it', async () => {
    const talk = talkOf()
    expect(await talk.hear(2, ' Some thing')).toEqual(['Some', ' thing'])
    const rest = tail('body came', 0.3, { continues: true })
    expect(await talk.hear(3, rest)).toEqual(['Somebody', ' came'])
  })
})

describe('nothing is committed', () => {
  it('when attention has jumped back', async () => {
    const talk = talkOf()
    expect((await talk.hear(8, tail(' We went home', 6)))[0]).toBe('We went')
    expect((await talk.hear(9, tail(' again and again', 0.5)))[0]).toBe('We went')
    // Alignments jitter: a little is none.
    expect((await talk.hear(9, tail(' home and then', 3)))[0]).toBe('We went home and')
  })

  it.each([
    ['a loop', ' no no no no no no', {}],
    ['what the search found to repeat itself', ' We went', { repeats: true }],
    ['what is improbable', ' We went', { averageLogProbability: -1.2 }],
    ['what can be compressed too well', ' We went', { compressionRatio: 3 }],
  ])('of %s', async (_, text, changed) => {
    const talk = talkOf()
    for (let seconds = 3; seconds < 9; seconds++)
      expect((await talk.hear(seconds, guessOf(text, changed)))[0]).toBe('')
  })

  it('of nothing', async () => {
    expect(await talkOf().hear(3, '')).toEqual(['', ''])
  })
})

describe('the final', () => {
  it('is what is committed and the rest', async () => {
    const talk = talkOf()
    await talk.hear(2, ' We went home')
    const { text } = await talk.final(2.5, tail(' home again.', 0.8))
    expect(text).toBe('We went home again.')
  })

  it('is decoded carefully where the rest is not to be trusted', async () => {
    const talk = talkOf()
    await talk.hear(2, ' We went home')
    talk.model.nextCareful = ' We went out.'
    const { text } = await talk.final(3, tail(' home', 0.8, { averageLogProbability: -2 }))
    expect(text).toBe('We went out.')
    expect(talk.model.calls.at(-1)?.kind).toBe('careful')
  })
})

it('a long utterance is not decoded from its beginning for ever', async () => {
  const talk = talkOf()
  let said = 0
  let from = 0
  for (let seconds = 2; seconds < 60; seconds++) {
    await talk.hear(seconds, tail(` word${said++}. word${said}.`, from))
    const heard = talk.model.calls.at(-1)?.seconds ?? 0
    expect(heard).toBeLessThan(20)
    from = Math.max(heard - 1.5, 0)
  }
  expect(said).toBe(58)
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
      continues: fc.boolean(),
      averageLogProbability: fc.constantFrom(-0.1, -0.5, -2),
      step: fc.double({ min: 0.2, max: 5, noNaN: true }),
    })
    .map(({ said, ...rest }) => ({ ...rest, words: timed(said) }))

  /** Words of which each begins after the one before. */
  function timed(said: readonly (readonly [string, number, number])[]): NativeWord[] {
    let at = 0
    return said.map(([text, length, gap]) => {
      const start = at + gap
      at = start + length
      return { text, start, end: at, probability: 0.5, tokens: [text.length] }
    })
  }

  it('what is committed only grows, lies before the margin, and the final begins with it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(guess, { maxLength: 20 }),
        fc.integer({ min: 1, max: 250 }),
        async (all, frames) => {
          const talk = talkOf(frames)
          let seconds = 0
          let last = { text: '', words: 0 }
          for (const { step, ...said } of all) {
            seconds += step
            const { words, committed } = await talk.partial(seconds, guessOf('', said))
            const stays = words.slice(0, committed)
            const text = textOf(stays)
            expect(committed).toBeGreaterThanOrEqual(last.words)
            expect(committed).toBeLessThanOrEqual(words.length)
            expect(text.startsWith(last.text)).toBe(true)
            if (said.averageLogProbability > -1 && seconds < 9)
              for (const { end } of stays.slice(last.words))
                expect(end).toBeLessThanOrEqual(5 + seconds - 0.02 * frames + 1e-3)
            last = { text, words: committed }
          }
          const final = await talk.final(seconds + 1, guessOf(' c d'))
          expect(final.text.startsWith(last.text)).toBe(true)
          expect(final.text).toBe(textOf(final.words))
        },
      ),
      { numRuns: 300 },
    )
  })
})
