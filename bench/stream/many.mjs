#!/usr/bin/env node
// @ts-check
/**
 * Measures several live streams on one model at the pace of real microphones: each hears the recordings of the tests from another place on, in pieces
 * of 100 ms. It takes as long as the speech.
 *
 *   node bench/stream/many.mjs [--model base] [--streams 8] [--minutes 2] [--policy agreement] [--step 0.8] [--backend auto]
 *
 * Needs ffmpeg and a build. Only figures of a quiet machine mean something.
 */
import { cpus, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { run } from '../../scripts/support/script.mjs'
import { material } from '../../scripts/test-material.mjs'
import { library } from '../support/library.mjs'
import { positive } from '../support/options.mjs'
import { pcmOf, RECORDINGS } from '../support/recordings.mjs'
import { printTable } from '../support/table.mjs'
import { chunksOf } from './feed.mjs'
import { measure, quantile } from './measure.mjs'

const BYTES_PER_SECOND = 32_000

/**
 * What a stream says of speech that arrives as fast as it is spoken, and when.
 * @param {import('../../lib/index.ts').LiveStream} live
 * @param {Buffer} pcm
 */
async function listen(live, pcm) {
  /** @type {import('./feed.mjs').Timed[]} */
  const events = []
  const start = performance.now()
  const seconds = () => (performance.now() - start) / 1000
  live.on('data', (event) => events.push({ time: seconds(), event }))
  const done = new Promise((resolve, reject) => live.once('end', resolve).once('error', reject))
  let due = 0
  for (const chunk of chunksOf([pcm])) {
    due += chunk.length / BYTES_PER_SECOND
    await sleep(Math.max(0, (due - seconds()) * 1000))
    if (!live.write(chunk)) await new Promise((resolve) => live.once('drain', resolve))
  }
  live.end()
  await done
  return measure(events)
}

await run(async () => {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: 'base' },
      streams: { type: 'string', default: '8' },
      minutes: { type: 'string', default: '2' },
      policy: { type: 'string', default: 'agreement' },
      step: { type: 'string', default: '0.8' },
      backend: { type: 'string', default: 'auto' },
    },
  })
  const [streams, minutes] = [positive('streams', values.streams), positive('minutes', values.minutes)]
  const speech = Buffer.concat(await Promise.all(RECORDINGS.map(async (name) => pcmOf(await material(name)))))
  const length = minutes * 60 * BYTES_PER_SECOND
  const whole = Buffer.concat(Array.from({ length: Math.ceil(length / speech.length) + 1 }, () => speech))
  const { loadModel } = library()
  const model = await loadModel(values.model, { backend: /** @type {'auto'} */ (values.backend) })
  console.log(`${cpus()[0]?.model}, ${cpus().length} processors; load ${loadavg()[0]?.toFixed(2)}`)
  const processorBefore = process.cpuUsage()
  const found = await Promise.all(
    Array.from({ length: streams }, (_, i) => {
      const from = 2 * Math.round((i * speech.length) / streams / 2)
      const policy = /** @type {'agreement'} */ (values.policy)
      const live = model.stream({ policy, step: Number(values.step), language: 'en' })
      return listen(live, whole.subarray(from, from + length))
    }),
  )
  const { user, system } = process.cpuUsage(processorBefore)
  /** @param {string} name @param {readonly number[]} delays */
  const row = (name, delays) => [
    name,
    delays.length,
    ...[0.5, 0.95, 1].map((share) => quantile(delays, share).toFixed(2)),
  ]
  printTable(
    `${streams} streams of ${minutes} minutes, ${values.policy}, step ${values.step} s; seconds`,
    ['', 'count', 'median', '95 %', 'most'],
    [
      row(
        'commit delay of a word',
        found.flatMap(({ commitDelays }) => commitDelays),
      ),
      row(
        'final delay',
        found.flatMap(({ finalDelays }) => finalDelays),
      ),
    ],
  )
  console.log(`\nretracted: ${found.reduce((sum, { retracted }) => sum + retracted, 0)}`)
  console.log(`processors busy: ${((user + system) / 1e6 / (minutes * 60)).toFixed(2)} of ${cpus().length}`)
  await model.dispose()
})
