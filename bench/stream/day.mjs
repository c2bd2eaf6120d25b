#!/usr/bin/env node
// @ts-check
/**
 * A long day before the microphone: speech, pauses, music and noise, in an order that is the same in every run.
 *
 *   node --expose-gc bench/stream/day.mjs [--hours 3] [--model base] [--policy agreement] [--backend auto] [--charge wall]
 *
 * Prints what memory is in use every 15 minutes of audio, and what was made of the day. `--charge` as for index.mjs. Needs ffmpeg and a build.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { run } from '../../scripts/support/script.mjs'
import { material, materialText } from '../../scripts/test-material.mjs'
import { library } from '../support/library.mjs'
import { importSources } from '../support/prepare.mjs'
import { pcmOf, RECORDINGS } from '../support/recordings.mjs'
import { printTable } from '../support/table.mjs'
import { clockFor, feed } from './feed.mjs'
import { measure, quantile } from './measure.mjs'

const SOUNDS = ['music.wav', 'noise.wav', 'motor.ogg', 'washing-machine.ogg', 'phone.ogg', 'key.ogg']
const LONGEST_SOUND_SECONDS = 60
const LONGEST_PAUSE_SECONDS = 40
const REPORT_SECONDS = 900

/** Numbers from 0 to 1 that are the same in every run: a linear congruential generator. */
function numbers() {
  let state = 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/**
 * @typedef {{ pcm: Buffer, text?: string }} Part
 * @param {number} seconds
 * @param {readonly Part[]} speech
 * @param {readonly Part[]} sounds
 * @returns {Generator<Part>}
 */
function* dayOf(seconds, speech, sounds) {
  const random = numbers()
  const any = (/** @type {readonly Part[]} */ list) =>
    /** @type {Part} */ (list[Math.floor(random() * list.length)])
  const pause = (/** @type {number} */ length) => ({ pcm: Buffer.alloc(2 * Math.floor(16_000 * length)) })
  for (let left = seconds; left > 0; ) {
    const parts = [any(speech), pause(1 + random() * LONGEST_PAUSE_SECONDS)]
    if (random() < 0.3) {
      const { pcm } = any(sounds)
      const from = 2 * Math.floor((random() * pcm.length) / 4)
      parts.push({ pcm: pcm.subarray(from, from + 32_000 * LONGEST_SOUND_SECONDS) }, pause(2))
    }
    for (const part of parts) left -= part.pcm.length / 32_000
    yield* parts
  }
}

/** Bytes of the process that are not garbage. */
async function inUse() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await sleep(10)
  }
  const { rss, heapTotal, heapUsed } = process.memoryUsage()
  return rss - heapTotal + heapUsed
}

await run(async () => {
  const { values } = parseArgs({
    options: {
      hours: { type: 'string', default: '3' },
      model: { type: 'string', default: 'base' },
      policy: { type: 'string', default: 'agreement' },
      backend: { type: 'string', default: 'auto' },
      charge: { type: 'string', default: 'wall' },
    },
  })
  if (globalThis.gc === undefined)
    throw new Error('memory is measured without garbage: run node with --expose-gc')
  const { wordErrorRate, wordsOf } = await importSources()
  const speech = await Promise.all(
    RECORDINGS.map(async (name) => ({
      pcm: await pcmOf(await material(name)),
      text: await materialText(name),
    })),
  )
  const sounds = await Promise.all(SOUNDS.map(async (name) => ({ pcm: await pcmOf(await material(name)) })))
  const model = await library().loadModel(values.model, { backend: /** @type {'auto'} */ (values.backend) })
  const live = model.stream({ policy: /** @type {'agreement'} */ (values.policy), language: 'en' })
  /** @type {(string | number)[][]} */
  const rows = []
  const all = {
    partials: 0,
    finals: 0,
    retracted: 0,
    commit: /** @type {number[]} */ ([]),
    final: /** @type {number[]} */ ([]),
  }
  /** @type {import('./feed.mjs').Timed[]} */
  let utterance = []
  /** @type {string[]} */
  const texts = []
  /** @param {import('./feed.mjs').Timed} timed */
  const onEvent = (timed) => {
    utterance.push(timed)
    if (timed.event.type === 'partial') all.partials++
    if (timed.event.type !== 'final') return
    all.finals++
    const found = measure(utterance)
    all.retracted += found.retracted
    all.commit.push(...found.commitDelays)
    all.final.push(...found.finalDelays)
    texts.push(found.text)
    utterance = []
  }
  let first = 0
  let heardSeconds = 0
  let reported = 0
  /** @type {string[]} */
  const spoken = []
  function* heard() {
    for (const { pcm, text } of dayOf(3600 * Number(values.hours), speech, sounds)) {
      yield pcm
      heardSeconds += pcm.length / 32_000
      if (text !== undefined) spoken.push(text)
    }
  }
  const timer = setInterval(async () => {
    if (heardSeconds < reported + REPORT_SECONDS) return
    reported = heardSeconds
    const bytes = await inUse()
    first ||= bytes
    rows.push([
      (heardSeconds / 60).toFixed(0),
      (bytes / 1e6).toFixed(1),
      ((bytes - first) / 1e6).toFixed(1),
      all.finals,
      all.partials,
    ])
    console.log(rows.at(-1)?.join('  '))
  }, 100)
  await feed(live, heard(), onEvent, clockFor(values.charge))
  clearInterval(timer)
  printTable(
    `${values.hours} hours by ${values.policy}`,
    ['minute', 'in use MB', 'grown MB', 'finals', 'partials'],
    rows,
  )
  const text = spoken.join(' ')
  const rate = wordErrorRate(text, texts.join(' '))
  console.log(
    `${wordsOf(text).length} words, of which ${(100 * rate).toFixed(1)} % wrong; ${all.retracted} retracted; ` +
      `commit delay ${quantile(all.commit, 0.5).toFixed(2)} s, final delay ${quantile(all.final, 0.5).toFixed(2)} s (median)`,
  )
  await model.dispose()
})
