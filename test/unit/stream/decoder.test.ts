import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Decoder } from '../../../lib/stream/decoder.ts'
import { FakeHost, segmentOf, settled, tokenize, transcribeOptions } from './fakes.ts'

const never = new AbortController().signal
const urgency = { final: false, due: 0 }
const seconds = (count: number) => new Float32Array(Math.round(16_000 * count)).fill(0.1)

function made(options: Record<string, unknown> = {}) {
  const host = new FakeHost()
  const decoder = new Decoder(host, transcribeOptions(options))
  const ask = (audio: Float32Array, question: Partial<Parameters<Decoder['guess']>[1]> = {}) =>
    decoder.guessTwice(audio, { context: '', prefix: [], beamSize: 1, ...question }, urgency, never)
  const run = async () => {
    await settled()
    const call = host.running()
    if (call === undefined) throw new Error('nothing runs')
    return call
  }
  return { host, decoder, ask, run }
}

describe('a guess', () => {
  it.each([
    [0.1, 768],
    [12.8, 768],
    [12.9, 1024],
    [23, 1280],
    // A full window costs no more than it has.
    [23.1, 0],
    [30, 0],
  ])('at %f s encodes %i positions', async (length, positions) => {
    const { ask, run } = made()
    const guess = ask(seconds(length))
    const call = await run()
    expect(call.options.audioContext).toBe(positions)
    expect(call.seconds).toBeCloseTo(length)
    call.answer(' Hello.')
    expect((await guess).words[0]?.text).toBe(' Hello.')
  })

  it.each([
    ['that repeats itself', { repeats: true }],
    ['that is improbable', { averageLogProbability: -1.1 }],
    ['that can be compressed too well', { compressionRatio: 2.5 }],
  ])('%s is made once more with a full window', async (_, suspicious) => {
    const { host, ask, run } = made()
    const guess = ask(seconds(2))
    ;(await run()).answer(' a a a a', suspicious)
    const second = await run()
    expect(second.options.audioContext).toBe(0)
    second.answer(' So.', suspicious)
    expect((await guess).words[0]?.text).toBe(' So.')
    expect(host.calls).toHaveLength(2)
  })

  it('is made once where that has to do', async () => {
    const { host, decoder, run } = made()
    const guess = decoder.guess(seconds(2), { context: '', prefix: [], beamSize: 1 }, urgency, never)
    ;(await run()).answer(' a a a a', { repeats: true })
    expect((await guess).repeats).toBe(true)
    expect(host.calls).toHaveLength(1)
  })

  it('has no words where the model hears no speech and is not sure of what it writes', async () => {
    const { ask, run } = made()
    const guess = ask(seconds(2))
    const silence = { noSpeechProbability: 0.9, averageLogProbability: -1.2 }
    ;(await run()).answer(' Thank you.', silence)
    ;(await run()).answer(' Thank you.', silence)
    expect((await guess).words).toEqual([])
  })

  it('obeys the thresholds of the options', async () => {
    const { host, ask, run } = made({ logProbThreshold: -9, compressionRatioThreshold: null })
    const guess = ask(seconds(2))
    ;(await run()).answer(' Hm.', { averageLogProbability: -5, compressionRatio: 100 })
    await guess
    expect(host.calls).toHaveLength(1)
  })

  it('gets the options, and what was said before', async () => {
    const options = { task: 'translate', hotwords: 'Dashwood', initialPrompt: 'Hint.', threads: 2 }
    const { ask, run } = made({ ...options, suppressTokens: [-1, 7] })
    ask(seconds(1), { context: ' Before.', prefix: [1, 2], beamSize: 3 })
    expect((await run()).options).toEqual({
      language: 'en',
      languages: [],
      translate: true,
      prompt: tokenize(' Dashwood Hint. Before.'),
      prefix: [1, 2],
      beamSize: 3,
      audioContext: 768,
      suppressBlank: true,
      suppressNonSpeech: true,
      suppressTokens: [7],
      maxTokens: expect.any(Number),
      threads: 2,
    })
  })

  it('may have more text in more time, but not without end', async () => {
    const most: number[] = []
    for (const length of [1, 10, 30]) {
      const { ask, run } = made()
      ask(seconds(length))
      most.push((await run()).options.maxTokens)
    }
    expect(most).toEqual(most.toSorted((a, b) => a - b))
    expect(most[0]).toBeGreaterThan(8)
    expect(most[0]).toBeLessThan(50)
    expect(most[2]).toBeGreaterThan(224)
  })
})

describe('a careful transcription', () => {
  it('has all segments', async () => {
    const { decoder, run } = made()
    const work = decoder.transcribe(seconds(4), urgency, never)
    const call = await run()
    const segments = [segmentOf(' One.'), segmentOf(' Two.')]
    call.answerSegments(segments)
    expect(await work).toEqual({ segments, language: 'en', warnings: [] })
  })
})

describe('the language', () => {
  it('is detected until it is sure', async () => {
    const { decoder, ask, run } = made({ language: 'auto' })
    for (const [probability, length, asked] of [
      [0.5, 1, ''],
      [0.9, 3, ''],
      [0.1, 3, 'de'],
    ] as const) {
      const guess = ask(seconds(length))
      const call = await run()
      expect(call.options.language).toBe(asked)
      call.answer(' Ja.', { language: 'de', languageProbability: probability })
      await guess
    }
    const careful = decoder.transcribe(seconds(1), urgency, never)
    const call = await run()
    expect(call.options.language).toBe('de')
    call.answer('')
    await careful
  })
})

describe('the work', () => {
  it('is counted', async () => {
    const { decoder, ask, run } = made()
    const guess = ask(seconds(1))
    ;(await run()).answer(' A.', { wallSeconds: 1, gpuNodes: 3, cpuNodes: 4 })
    await guess
    const careful = decoder.transcribe(seconds(1), urgency, never)
    ;(await run()).answer(' A.', { wallSeconds: 2, gpuNodes: 30, cpuNodes: 40 })
    await careful
    expect(decoder.computed).toEqual({ seconds: 3, gpuNodes: 33, cpuNodes: 44 })
  })

  it('fails with what the model says', async () => {
    const { decoder, host, run } = made()
    const work = decoder.transcribe(seconds(1), urgency, never)
    const error = Object.assign(new Error('no memory'), { code: 'ERR_OUT_OF_MEMORY' })
    ;(await run()).fail(error)
    await expect(work).rejects.toBe(error)
    expect(host.scheduler.running).toBe(0)
  })

  it('leaves no listener on a signal that lives on', async () => {
    const { decoder, run } = made()
    const { signal } = new AbortController()
    for (let i = 0; i < 3; i++) {
      const work = decoder.transcribe(seconds(1), urgency, signal)
      ;(await run()).answer('')
      await work
    }
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('the hints', () => {
  it('stay whole, whatever was said', async () => {
    const { ask, run } = made({ hotwords: 'Dashwood', initialPrompt: 'Hint.' })
    ask(seconds(1), { context: ' said'.repeat(100), prefix: [], beamSize: 1 })
    const { prompt } = (await run()).options
    expect(prompt).toHaveLength(223)
    expect(String.fromCodePoint(...prompt)).toMatch(/^ Dashwood Hint\.\S* said( said)* said$/)
  })

  it('leave room for a long beginning of the text', async () => {
    const { ask, run } = made({ hotwords: 'Dashwood' })
    ask(seconds(1), { context: ' said'.repeat(100), prefix: new Array(400).fill(1), beamSize: 1 })
    const { prompt } = (await run()).options
    expect(prompt).toHaveLength(11)
    expect(String.fromCodePoint(...prompt)).toBe(' Dashwoodid')
  })
})
