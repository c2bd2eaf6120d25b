#!/usr/bin/env node
// @ts-check
/**
 * What a type of weights costs and what it saves: converts a model to each type, and measures the file, the memory, the time to load, the speed, and
 * the words that are wrong in the recordings of the tests.
 *
 *   node bench/quality.mjs [--model base] [--backend auto] [--starts 1] [TYPE …]
 *
 * With --starts N each recording is transcribed N times, with 0, 0.1, 0.2, … s of silence before it. A beam search is chaotic: what rounding changes
 * in one word is only seen in the mean of many.
 *
 * Sizes and error rates are the same on every machine of a kind; times mean something on a quiet one only.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { parseArgs } from 'node:util'
import { log, run } from '../scripts/support/script.mjs'
import { material, materialText } from '../scripts/test-material.mjs'
import { library } from './support/library.mjs'
import { importSources } from './support/prepare.mjs'
import { pcmOf, RECORDINGS } from './support/recordings.mjs'
import { printTable } from './support/table.mjs'

const TYPES = ['f32', 'f16', 'q8_0', 'q6_k', 'q5_1', 'q5_0', 'q5_k', 'q4_0', 'q4_k']
const LOADS = 3
/** 0.1 s of 16 kHz and 16 bits. */
const BYTES_PER_START = 3200

await run(async () => {
  const { values, positionals } = parseArgs({
    options: {
      model: { type: 'string', default: 'base' },
      backend: { type: 'string', default: 'auto' },
      starts: { type: 'string', default: '1' },
    },
    allowPositionals: true,
  })
  const { loadModel, convertModel, backendInfo } = library()
  const { wordErrorRate, wordsOf } = await importSources()
  const types = /** @type {import('../lib/index.ts').WeightType[]} */ (
    positionals.length > 0 ? positionals : TYPES
  )
  const starts = Number(values.starts)
  const backend = /** @type {'auto'} */ (values.backend)
  console.log(await backendInfo())
  console.log(`${cpus()[0]?.model}, ${cpus().length} processors; load ${loadavg()[0]?.toFixed(2)}`)
  const subjects = await Promise.all(
    RECORDINGS.map(async (name) => ({
      pcm: await pcmOf(await material(name)),
      text: await materialText(name),
    })),
  )
  const folder = await mkdtemp(join(tmpdir(), 'whisper-hip-quality-'))
  const rows = []
  try {
    for (const weightType of types) {
      log(weightType)
      const path = join(folder, `${weightType}.gguf`)
      const { bytes } = await convertModel(values.model, path, { weightType })
      let loadSeconds = Number.POSITIVE_INFINITY
      for (let i = 0; i < LOADS; i++) {
        const begun = performance.now()
        await (await loadModel(path, { backend })).dispose()
        loadSeconds = Math.min(loadSeconds, (performance.now() - begun) / 1000)
      }
      const model = await loadModel(path, { backend })
      let [audio, wall, words, wrong] = [0, 0, 0, 0]
      for (let start = 0; start < starts; start++) {
        const silence = Buffer.alloc(BYTES_PER_START * start)
        for (const { pcm, text } of subjects) {
          const stream = Readable.from([silence, pcm], { objectMode: false })
          const recording = {
            stream,
            format: /** @type {const} */ ('s16le'),
            sampleRate: 16_000,
            channels: 1,
          }
          const result = await model.transcribe(recording, { language: 'en' })
          audio += result.stats.audioSeconds
          wall += result.stats.wallSeconds
          words += wordsOf(text).length
          wrong += wordErrorRate(text, result.text) * wordsOf(text).length
        }
      }
      const memory = model.info.memoryBytes
      await model.dispose()
      await rm(path)
      rows.push([
        weightType,
        (bytes / 1e6).toFixed(0),
        (memory / 1e6).toFixed(0),
        loadSeconds.toFixed(2),
        (audio / wall).toFixed(1),
        ((100 * wrong) / words).toFixed(2),
        words,
      ])
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const head = [
    'weights',
    'file MB',
    'memory MB',
    'load s',
    'times as fast as speech',
    'wrong words %',
    'words',
  ]
  printTable(`${values.model}, beam 5, ${subjects.length} recordings, ${starts} starts of each`, head, rows)
  console.log(`\nload at the end: ${loadavg()[0]?.toFixed(2)}`)
})
