#!/usr/bin/env node
// @ts-check
/**
 * What a type of weights costs and what it saves: converts a model to each type, and measures the file, the memory, the time to load, the speed, and
 * the words that are wrong in the recordings of the tests and in the prompts of a telephone exchange.
 *
 *   node bench/quality.mjs [--model base] [--backend auto] [--speech all|recordings|prompts] [--starts 1] [TYPE …]
 *
 * The last column compares with the first type, with the 95 % interval of what other speech of the kind would give. A beam search is chaotic: with
 * --starts N each piece is transcribed N times, with 0, 0.1, 0.2, … s of silence before it.
 *
 * Sizes and error rates are the same on every machine of a kind; times mean something on a quiet one only.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { parseArgs } from 'node:util'
import { BuildError, log, run } from '../scripts/support/script.mjs'
import { material, materialText } from '../scripts/test-material.mjs'
import { pairedDifference } from './support/bootstrap.mjs'
import { library } from './support/library.mjs'
import { importSources } from './support/prepare.mjs'
import { prompts } from './support/prompts.mjs'
import { pcmOf, RECORDINGS } from './support/recordings.mjs'
import { printTable } from './support/table.mjs'

const TYPES = ['f16', 'f32', 'q8_0', 'q6_k', 'q5_1', 'q5_0', 'q5_k', 'q4_0', 'q4_k']
const LOADS = 3
/** 0.1 s of 16 kHz and 16 bits. */
const BYTES_PER_START = 3200

const { loadModel, convertModel, backendInfo } = library()
const { generator, wordErrorRate, wordsOf } = await importSources()

function recordings() {
  return Promise.all(
    RECORDINGS.map(async (name) => ({
      pcm: await pcmOf(await material(name)),
      text: await materialText(name),
    })),
  )
}

/**
 * Errors in each piece, over all starts.
 * @param {import('../lib/index.ts').Model} model @param {readonly import('./support/prompts.mjs').Piece[]} pieces @param {number} starts
 */
async function transcribeAll(model, pieces, starts) {
  let [audio, wall] = [0, 0]
  const counts = pieces.map(() => ({ wrong: 0, words: 0 }))
  for (let start = 0; start < starts; start++) {
    const silence = Buffer.alloc(BYTES_PER_START * start)
    for (const [i, { pcm, text }] of pieces.entries()) {
      const recording = {
        stream: Readable.from([silence, pcm], { objectMode: false }),
        format: /** @type {const} */ ('s16le'),
        sampleRate: 16_000,
        channels: 1,
      }
      const result = await model.transcribe(recording, { language: 'en' })
      audio += result.stats.audioSeconds
      wall += result.stats.wallSeconds
      const count = /** @type {import('./support/bootstrap.mjs').Count} */ (counts[i])
      const words = wordsOf(text).length
      count.words += words
      count.wrong += wordErrorRate(text, result.text) * words
    }
  }
  return { counts, speed: audio / wall }
}

const SPEECH = {
  recordings,
  prompts: () => prompts(wordsOf),
  all: async () => [...(await recordings()), ...(await prompts(wordsOf))],
}

await run(async () => {
  const { values, positionals } = parseArgs({
    options: {
      model: { type: 'string', default: 'base' },
      backend: { type: 'string', default: 'auto' },
      speech: { type: 'string', default: 'all' },
      starts: { type: 'string', default: '1' },
    },
    allowPositionals: true,
  })
  const types = /** @type {import('../lib/index.ts').WeightType[]} */ (
    positionals.length > 0 ? positionals : TYPES
  )
  const starts = Number(values.starts)
  const backend = /** @type {'auto'} */ (values.backend)
  console.log(await backendInfo())
  console.log(`${cpus()[0]?.model}, ${cpus().length} processors; load ${loadavg()[0]?.toFixed(2)}`)
  const speech = SPEECH[/** @type {keyof typeof SPEECH} */ (values.speech)]
  if (speech === undefined)
    throw new BuildError(`--speech is ${Object.keys(SPEECH).join(' or ')}, not ${values.speech}`)
  const pieces = await speech()
  const folder = await mkdtemp(join(tmpdir(), 'whisper-hip-quality-'))
  /** @type {import('./support/bootstrap.mjs').Count[] | undefined} */
  let first
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
      const { counts, speed } = await transcribeAll(model, pieces, starts)
      first ??= counts
      const { difference, low, high } = pairedDifference(counts, first, generator(1))
      const wrong = counts.reduce((sum, count) => sum + count.wrong, 0)
      const words = counts.reduce((sum, count) => sum + count.words, 0)
      rows.push([
        weightType,
        (bytes / 1e6).toFixed(0),
        (model.info.memoryBytes / 1e6).toFixed(0),
        loadSeconds.toFixed(2),
        speed.toFixed(1),
        ((100 * wrong) / words).toFixed(2),
        words,
        `${difference.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`,
      ])
      await model.dispose()
      await rm(path)
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
    `beside ${types[0]}`,
  ]
  const title = `${values.model}, beam 5, ${values.speech}: ${pieces.length} pieces, ${starts} starts of each`
  printTable(title, head, rows)
  console.log(`\nload at the end: ${loadavg()[0]?.toFixed(2)}`)
})
