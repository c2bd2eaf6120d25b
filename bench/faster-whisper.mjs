#!/usr/bin/env node
// @ts-check
/**
 * Measures the types of weights beside the compute types of faster-whisper: the same weights of `base`, the recordings of the tests, beam 5, in turns.
 *
 *   node bench/faster-whisper.mjs [--rounds 3] [--threads 2]
 *
 * Fetches faster-whisper with pip, into the cache. Only ratios of one run on a quiet machine mean something.
 */
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { run } from '../scripts/support/script.mjs'
import { material, materialText } from '../scripts/test-material.mjs'
import { fasterWhisper, openFasterWhisper } from './support/faster-whisper.mjs'
import { importSources } from './support/prepare.mjs'
import { RECORDINGS } from './support/recordings.mjs'
import { openSession } from './support/session.mjs'
import { median, printTable } from './support/table.mjs'

/** What CTranslate2 can compute on a CPU, each beside what stands for it here. */
const PAIRS = /** @type {const} */ ([
  ['float32', 'f16'],
  ['int8', 'q8_0'],
])

/**
 * @typedef {{ load: number, type: string, do(recording: string): Promise<{ text: string, wall: number, peak: number }>, close(): void }} Engine
 */

/** @param {import('../lib/index.ts').WeightType} weightType @param {number} threads @returns {Promise<Engine>} */
async function openOurs(weightType, threads) {
  const session = openSession()
  const { wall: load } = await session.do({ type: 'load', weightType })
  return {
    load,
    type: weightType,
    async do(recording) {
      const jobs = [{ model: 0, recording, options: { language: 'en', threads } }]
      const { texts, wall, peak } = await session.do({ type: 'run', jobs, together: false })
      return { text: texts.join(), wall, peak }
    },
    close: session.close,
  }
}

await run(async () => {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '3' }, threads: { type: 'string', default: '2' } },
  })
  const threads = Number(values.threads)
  const { obtainModel, wordErrorRate, wordsOf } = await importSources()
  const folder = await obtainModel('base')
  const program = await fasterWhisper()
  const subjects = await Promise.all(
    RECORDINGS.map(async (name) => ({ path: await material(name), text: await materialText(name) })),
  )
  const words = subjects.reduce((sum, { text }) => sum + wordsOf(text).length, 0)
  console.log(`${cpus()[0]?.model}, ${cpus().length} processors; load ${loadavg()[0]?.toFixed(2)}`)
  const rows = []
  for (const [theirType, ourType] of PAIRS) {
    const engines = [
      await openFasterWhisper(program, folder, theirType, threads),
      await openOurs(ourType, threads),
    ]
    const found = engines.map(({ load, type }) => ({
      load,
      type,
      walls: /** @type {number[]} */ ([]),
      peak: 0,
      wrong: 0,
    }))
    // The first round is not counted.
    for (let round = 0; round <= Number(values.rounds); round++) {
      const walls = engines.map(() => 0)
      for (const { path, text } of subjects) {
        for (const [i, engine] of engines.entries()) {
          const result = await engine.do(path)
          walls[i] = (walls[i] ?? 0) + result.wall
          const own = /** @type {(typeof found)[number]} */ (found[i])
          own.peak = result.peak
          if (round === 0) own.wrong += wordErrorRate(text, result.text) * wordsOf(text).length
        }
      }
      if (round > 0) for (const [i, wall] of walls.entries()) found[i]?.walls.push(wall)
    }
    for (const engine of engines) engine.close()
    const seconds = found.map(({ walls }) => median(walls))
    for (const [i, { load, type, peak, wrong }] of found.entries()) {
      rows.push([
        i === 0
          ? `faster-whisper ${theirType}${type === theirType ? '' : `, computes ${type}`}`
          : `whisper-hip ${type}`,
        load.toFixed(2),
        (seconds[i] ?? 0).toFixed(1),
        ((seconds[1] ?? 0) / (seconds[0] ?? 0)).toFixed(2),
        (peak / 1e6).toFixed(0),
        ((100 * wrong) / words).toFixed(1),
      ])
    }
  }
  const head = ['', 'load s', 'all recordings s', 'ours / theirs', 'peak memory MB', 'wrong words %']
  printTable(`base, beam 5, ${threads} threads, median of ${values.rounds} rounds`, head, rows)
  console.log(`\nload at the end: ${loadavg()[0]?.toFixed(2)}`)
})
