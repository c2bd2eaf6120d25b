#!/usr/bin/env node
// @ts-check
/**
 * Measures a long recording beside faster-whisper, in its ways and in ours: several windows at once and one after the other, beams and greedy. `base`, q8_0
 * here and int8 there, in turns.
 *
 *   node bench/batch.mjs [--minutes 5] [--rounds 3] [--threads 2] [--recording FILE] [--picture FILE]
 *
 * Without a recording those of the tests are joined. The picture is the seconds as SVG, as docs/batch.svg. Fetches faster-whisper with pip, into the cache. Only ratios of one run on a quiet machine mean
 * something.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { run } from '../scripts/support/script.mjs'
import { material } from '../scripts/test-material.mjs'
import { bars } from './support/bars.mjs'
import { fasterWhisper, openFasterWhisper } from './support/faster-whisper.mjs'
import { importSources } from './support/prepare.mjs'
import { pcmOf, RECORDINGS } from './support/recordings.mjs'
import { openSession } from './support/session.mjs'
import { median, printTable } from './support/table.mjs'

const TITLE = 'base on the CPU: seconds for a long recording, less is better'

/** Each of our ways beside theirs. */
const WAYS = /** @type {const} */ ([
  { name: 'several windows at once, beam 5', beam: 5, batch: 8, options: {} },
  { name: 'one after the other, beam 5', beam: 5, batch: 0, options: { batchSize: 1 } },
  { name: 'several windows at once, greedy', beam: 1, batch: 8, options: {} },
  { name: 'one after the other, greedy', beam: 1, batch: 0, options: { batchSize: 1 } },
])

/** The recordings of the tests, one after the other, as often as it takes. @param {string} path @param {number} minutes */
async function joined(path, minutes) {
  const parts = await Promise.all(RECORDINGS.map(async (name) => pcmOf(await material(name))))
  const bytes = 2 * 16_000 * 60 * minutes
  const samples = Buffer.concat(
    Array.from({ length: 1 + Math.ceil(bytes / Buffer.concat(parts).length) }, () => parts).flat(),
  )
  const body = samples.subarray(0, bytes)
  const header = Buffer.alloc(44)
  header.write('RIFF', 0)
  header.writeUInt32LE(36 + body.length, 4)
  header.write('WAVEfmt ', 8)
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(1, 20)
  header.writeUInt16LE(1, 22)
  header.writeUInt32LE(16_000, 24)
  header.writeUInt32LE(32_000, 28)
  header.writeUInt16LE(2, 32)
  header.writeUInt16LE(16, 34)
  header.write('data', 36)
  header.writeUInt32LE(body.length, 40)
  await writeFile(path, Buffer.concat([header, body]))
  return path
}

await run(async () => {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      threads: { type: 'string', default: '2' },
      recording: { type: 'string' },
      picture: { type: 'string' },
    },
  })
  const [threads, rounds] = [Number(values.threads), Number(values.rounds)]
  const { obtainModel, wordsOf } = await importSources()
  const temporary = await mkdtemp(join(tmpdir(), 'whisper-hip-bench-'))
  try {
    const recording = values.recording ?? (await joined(join(temporary, 'long.wav'), Number(values.minutes)))
    console.log(`${cpus()[0]?.model}, ${cpus().length} processors; load ${loadavg()[0]?.toFixed(2)}`)
    const theirs = await openFasterWhisper(await fasterWhisper(), await obtainModel('base'), 'int8', threads)
    const rows = []
    const groups = []
    for (const { name, beam, batch, options } of WAYS) {
      const ours = openSession()
      await ours.do({ type: 'load', weightType: 'q8_0' })
      const jobs = [{ model: 0, recording, options: { language: 'en', threads, beamSize: beam, ...options } }]
      const walls = { ours: /** @type {number[]} */ ([]), theirs: /** @type {number[]} */ ([]) }
      let found = { ours: { words: 0, peak: 0 }, theirs: { words: 0, peak: 0 } }
      for (let round = 0; round < rounds; round++) {
        const their = await theirs.do(recording, { beam, batch })
        const our = await ours.do({ type: 'run', jobs, together: false })
        walls.theirs.push(their.wall)
        walls.ours.push(our.wall)
        found = {
          ours: { words: wordsOf(our.texts.join()).length, peak: our.peak },
          theirs: { words: wordsOf(their.text).length, peak: their.peak },
        }
      }
      ours.close()
      const [our, their] = [median(walls.ours), median(walls.theirs)]
      groups.push({ name, seconds: /** @type {const} */ ([our, their]) })
      rows.push([
        name,
        our.toFixed(1),
        their.toFixed(1),
        (our / their).toFixed(2),
        `${found.ours.words}, ${found.theirs.words}`,
        `${(found.ours.peak / 1e6).toFixed(0)}, ${(found.theirs.peak / 1e6).toFixed(0)}`,
      ])
    }
    theirs.close()
    const head = ['', 'ours s', 'theirs s', 'ours / theirs', 'words', 'peak memory MB']
    printTable(`base, ${threads} threads, median of ${rounds} rounds in turns`, head, rows)
    if (values.picture)
      await writeFile(values.picture, bars(TITLE, ['whisper-hip', 'faster-whisper'], groups))
    console.log(`\nload at the end: ${loadavg()[0]?.toFixed(2)}`)
  } finally {
    await rm(temporary, { recursive: true })
  }
})
