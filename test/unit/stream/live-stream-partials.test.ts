import { describe, expect, it } from 'vitest'
import type { PartialEvent } from '../../../lib/stream/types.ts'
import { inShort, loud, openStream, quiet, readAll, segmentOf, settled, wordsOf } from './fakes.ts'

/** Frames: 500 ms. */
const PAUSE = 16

describe('partials', () => {
  it('are made each step, and further apart when the machine is slow', async () => {
    const { live, host, say, answer } = openStream({
      partials: true,
      step: 1,
      vad: { maxSpeechDurationS: 30 },
    })
    readAll(live)
    const frames: number[] = []
    for (let frame = 1; frame < 300; frame++) {
      await say(loud(1))
      // From the fifth on, each takes 2 s.
      const heard = host.running()?.samples.length ?? Number.NaN
      if ((frame * 512 - heard) / 16_000 < (frames.length < 4 ? 0 : 2)) continue
      if (Number.isNaN(heard)) continue
      frames.push(heard / 512)
      await answer(' So')
    }
    expect(frames).toEqual([32, 64, 96, 128, 160, 223])
  })

  it('are counted, also those without text', async () => {
    const { live, say, answer } = openStream({ partials: true })
    const events = readAll(live)
    for (const text of [' a', '', ' b']) {
      await say(loud(30))
      await answer(text)
    }
    const partials = events.filter((event): event is PartialEvent => event.type === 'partial')
    expect(partials.map(({ revision, tentative }) => [revision, tentative])).toEqual([
      [0, 'a'],
      [1, ''],
      [2, 'b'],
    ])
  })

  it.each(['phrase', 'agreement'] as const)('of %s are not told when nobody wants them', async (policy) => {
    const { live, host, say, answer } = openStream({ policy, partials: false })
    const events = readAll(live)
    await say(loud(30))
    if (policy === 'agreement') await answer(' So')
    expect(host.calls).toHaveLength(policy === 'agreement' ? 1 : 0)
    await say(quiet(PAUSE))
    await answer(' So.')
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 30', 'final 0 "So." silence'])
  })

  it('are dropped when their utterance has ended', async () => {
    const { live, host, say, answer } = openStream({ partials: true })
    const events = readAll(live)
    await say(loud(30))
    await say(quiet(PAUSE))
    expect(host.calls[0]?.cancelled).toBe(true)
    await answer(' Yes.')
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 30', 'final 0 "Yes." silence'])
  })

  it('of phrase make way at a pause for what may become the final, which is shown in their place', async () => {
    const { live, host, say, answer } = openStream({ policy: 'phrase', partials: true, step: 1 })
    const events = readAll(live)
    await say(loud(40))
    await say(quiet(8))
    expect(host.calls.map(({ kind, cancelled }) => [kind, cancelled])).toEqual([
      ['guess', true],
      ['careful', false],
    ])
    await answer(' So far.')
    await say(loud(8))
    expect(host.running()).toBeUndefined()
    await say(loud(24))
    await answer(' So far, so')
    await say(quiet(PAUSE))
    await answer(' So far, so good.')
    expect(inShort(events)).toEqual([
      'speech-start 0',
      'partial 0 "" "So far."',
      'partial 0 "" "So far, so"',
      'speech-end 80',
      'final 0 "So far, so good." silence',
    ])
  })

  it('of agreement, of which words stay, are finished at a pause', async () => {
    const { live, host, say, answer } = openStream({ policy: 'agreement', partials: true, step: 1 })
    const events = readAll(live)
    await say(loud(40))
    await say(quiet(8))
    expect(host.calls.map(({ cancelled }) => cancelled)).toEqual([false])
    await answer(' So')
    await answer(' So far.')
    await say(quiet(PAUSE))
    expect(inShort(events)).toEqual([
      'speech-start 0',
      'partial 0 "" "So"',
      'speech-end 40',
      'final 0 "So far." silence',
    ])
  })

  it('of alignatt have words that stay from the first guess on', async () => {
    const { live, say, answer } = openStream({ policy: 'alignatt', partials: true, step: 1 })
    const events = readAll(live)
    await say(loud(40))
    await answer(' So far so')
    await say(loud(32))
    await answer('', { words: wordsOf(' so good.', 0.8) })
    await say(quiet(PAUSE))
    await answer('', { words: wordsOf(' good indeed.', 1.2) })
    expect(inShort(events)).toEqual([
      'speech-start 0',
      'partial 0 "So far" " so"',
      'partial 0 "So far so" " good."',
      'speech-end 72',
      'final 0 "So far so good indeed." silence',
    ])
  })

  it('are dropped when they come at the same moment as the end', async () => {
    const { live, host, say, answer } = openStream({ partials: true })
    const events = readAll(live)
    await say(loud(30))
    host.calls[0]?.answer(' Ye')
    await say(quiet(PAUSE))
    await answer(' Yes.')
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 30', 'final 0 "Yes." silence'])
  })

  it('are dropped when their utterance is none', async () => {
    const { live, host, say } = openStream({ partials: true, step: 0.2 })
    const events = readAll(live)
    await say(quiet(20), loud(3))
    expect(host.calls).toHaveLength(1)
    host.calls[0]?.answer(' Oh')
    await say(quiet(PAUSE))
    expect(inShort(events)).toEqual(['speech-start 20', 'speech-end 23'])
  })
})

describe('an invented phrase', () => {
  it.each([
    ['unsure', -0.77, 2],
    ['sure', -0.3, 5],
  ])('is not told of every noise while the model is not sure of it: %s', async (_, sure, times) => {
    const { live, say, host } = openStream({ policy: 'agreement' })
    const events = readAll(live)
    for (let noise = 0; noise < 5; noise++) {
      await say(loud(30), quiet(PAUSE))
      while (host.running() !== undefined) {
        const call = host.running()
        const segment = segmentOf(" What's up?", { averageLogProbability: sure })
        if (call?.kind === 'careful') call.answerSegments([segment])
        else call?.answer(" What's up?", { averageLogProbability: sure })
        await settled()
      }
    }
    const finals = inShort(events).filter((event) => event.startsWith('final'))
    expect(finals).toEqual(
      Array.from({ length: times }, (_, number) => `final ${number} "What's up?" silence`),
    )
  })
})

describe('committed text', () => {
  it('only grows, and the final begins with it', async () => {
    const { live, host, say, answer } = openStream({ policy: 'agreement', partials: true })
    const events = readAll(live)
    const said = ' So it is and so it stays for ever and a day'.split(/(?= )/)
    for (let second = 1; second <= 9; second++) {
      await say(loud(31))
      // A fake model: two words a second, of which the last one is wrong.
      const given = host.running()?.options.prefix.length ?? 0
      const heard = [...said.slice(given, second), second % 2 ? ' um' : ' er']
      await answer('', { words: wordsOf(heard.join(''), 0.4 * given) })
    }
    await say(quiet(PAUSE))
    const given = host.running()?.options.prefix.length ?? 0
    await answer('', { words: wordsOf(said.slice(given).join(''), 0.4 * given) })

    const partials = events.filter((event): event is PartialEvent => event.type === 'partial')
    expect(partials).toHaveLength(9)
    for (const [i, partial] of partials.entries()) {
      const { committed, tentative, words, committedWords } = partial
      expect(committed.startsWith(partials[i - 1]?.committed ?? '')).toBe(true)
      const textOf = (list: typeof words) =>
        list
          .map(({ text }) => text)
          .join('')
          .trimStart()
      expect(textOf(words.slice(0, committedWords))).toBe(committed)
      expect(textOf(words)).toBe(committed + tentative)
      if (committed !== '') expect(tentative).toMatch(/^ /)
    }
    expect(partials.at(-1)?.committed).toBe('So it is and so it stays for')
    expect(events.findLast((event) => event.type === 'final')).toMatchObject({
      text: 'So it is and so it stays for ever and a day',
    })
  })
})
