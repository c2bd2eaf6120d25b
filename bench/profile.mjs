#!/usr/bin/env node
// @ts-check
/**
 * What a transcription on the CPU spends its time on: every operation of its graphs by shape, beside what the processor could do at most.
 *
 *   node bench/profile.mjs [--model base] [--type q8_0] [--recording FILE] [--beam 5] [--top 25]
 *
 * The limit of an operation is the time of its additions and multiplications or that of its bytes, whichever is longer, at rates that are measured
 * before and after the transcriptions: operations on bytes for products with quantised weights, operations on floats for other products and attention,
 * and reading from memory. What lies in a cache is read faster than from memory: a share above 100 % says so. The rates are those of the processor,
 * whichever kernels WHISPER_HIP_CPU names.
 *
 * Operations are computed one by one while they are timed, which makes small ones slower. Only figures of a quiet machine mean something.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { log, run } from '../scripts/support/script.mjs'
import { cacheFolder, material } from '../scripts/test-material.mjs'
import { addon, library } from './support/library.mjs'
import { greater, limitsOf } from './support/limits.mjs'
import { positive } from './support/options.mjs'
import { printTable } from './support/table.mjs'

/**
 * @typedef {import('../lib/native.ts').OperationTime} OperationTime
 * @typedef {import('../lib/index.ts').WeightType} WeightType
 * @typedef {import('./support/limits.mjs').Limits} Limits
 */

/**
 * A model whose weights have a type: the model itself if it is of that type, otherwise a converted one.
 * @param {string} name name or path
 * @param {WeightType} weightType
 * @param {string} temporary folder for what is made of a file, which may have changed by the next time
 */
async function load(name, weightType, temporary) {
  const { convertModel, loadModel } = library()
  const own = await loadModel(name, { backend: 'cpu' })
  if (own.info.weightType === weightType) return own
  await own.dispose()
  const isFile = name.includes('/') || existsSync(name)
  const folder = isFile ? temporary : join(cacheFolder(), 'bench')
  const path = join(folder, `${basename(name)}-${weightType}.gguf`)
  if (!existsSync(path)) {
    log(`converting ${name} to ${weightType}`)
    await mkdir(folder, { recursive: true })
    await convertModel(name, path, { weightType })
  }
  return loadModel(path, { backend: 'cpu' })
}

/**
 * The first run, which brings everything into memory, is not measured. Of the untimed ones, before and after the timed run, the shorter counts: other
 * programs only make them longer.
 * @param {import('../lib/index.ts').Model} model
 * @param {string} recording
 * @param {number} beamSize
 */
async function profile(model, recording, beamSize) {
  const wall = async () => (await model.transcribe(recording, { language: 'en', beamSize })).stats.wallSeconds
  await wall()
  const before = await wall()
  addon().timeOperations(true)
  const timed = await wall()
  const operations = addon().timeOperations(false)
  return { untimed: Math.min(before, await wall()), timed, operations }
}

/**
 * The least seconds that an operation takes.
 * @param {OperationTime} operation
 * @param {Limits} limits
 */
function leastSeconds({ name, operations, bytes }, limits) {
  const rate = /^MUL_MAT i?q/.test(name) ? limits.bytes : limits.floats
  return Math.max(operations / rate, bytes / limits.memory)
}

/**
 * What several operations took as if they were one.
 * @param {string} name
 * @param {readonly OperationTime[]} all
 * @returns {OperationTime}
 */
function together(name, all) {
  /** @param {'count' | 'seconds' | 'operations' | 'bytes'} figure */
  const sum = (figure) => all.reduce((total, operation) => total + operation[figure], 0)
  return {
    name,
    count: sum('count'),
    seconds: sum('seconds'),
    operations: sum('operations'),
    bytes: sum('bytes'),
  }
}

const loadAverage = () => loadavg()[0]?.toFixed(2)
/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(1)} %`
/** @param {number} seconds */
const milliseconds = (seconds) => (1000 * seconds).toFixed(1)

/**
 * @param {string} title
 * @param {readonly OperationTime[]} operations
 * @param {Limits} limits
 * @param {number} top
 */
function printOperations(title, operations, limits, top) {
  const sorted = [...operations].sort((a, b) => b.seconds - a.seconds)
  const { seconds: whole } = together('', sorted)
  /** @param {OperationTime} operation @param {readonly OperationTime[]} [parts] */
  const row = (operation, parts = [operation]) => {
    const { name, count, seconds } = operation
    const least = parts.reduce((sum, part) => sum + leastSeconds(part, limits), 0)
    return [
      name,
      milliseconds(seconds),
      percent(seconds / whole),
      count,
      ((1e6 * seconds) / count).toFixed(1),
      operation.operations > 0 ? (operation.operations / seconds / 1e9).toFixed(1) : '',
      (operation.bytes / seconds / 1e9).toFixed(1),
      percent(least / seconds),
    ]
  }
  const others = sorted.slice(top)
  const rows = sorted.slice(0, top).map((operation) => row(operation))
  if (others.length > 0) rows.push(row(together(`${others.length} others`, others), others))
  rows.push(row(together('all', sorted), sorted))
  printTable(title, ['operation', 'ms', 'share', 'count', 'µs each', 'GOP/s', 'GB/s', 'of the limit'], rows)
}

/** @param {Limits} before @param {Limits} after */
function printLimits(before, after) {
  /** @param {number} rate */
  const giga = (rate) => (rate / 1e9).toFixed(1)
  printTable(
    'What the processor does at most, all threads together',
    ['', 'before', 'after'],
    [
      [`GOP/s of floats, ${before.floatInstructions}`, giga(before.floats), giga(after.floats)],
      [`GOP/s of bytes, ${before.byteInstructions}`, giga(before.bytes), giga(after.bytes)],
      ['GB/s from memory', giga(before.memory), giga(after.memory)],
    ],
  )
}

/**
 * What is not in graphs is not timed. It is no longer than what the operations leave of the timed run, which takes the times meanwhile. And it is no
 * shorter than what they leave of an untimed run, because they are not faster one by one; unless other programs have disturbed one of the runs.
 * @param {Awaited<ReturnType<typeof profile>>} profile
 */
function printWhole({ untimed, timed, operations }) {
  const { seconds } = together('', operations)
  const [least, most] = [Math.max(0, untimed - seconds), timed - seconds]
  const rest = `${least < most ? `${milliseconds(least)} to` : 'at most'} ${milliseconds(most)}`
  printTable(
    'The whole transcription',
    ['', 'ms'],
    [
      ['sum of all operations', milliseconds(seconds)],
      ['wall time of an untimed run', milliseconds(untimed)],
      ['wall time of the timed run', milliseconds(timed)],
      ['not in graphs', rest],
    ],
  )
}

await run(async () => {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: 'base' },
      type: { type: 'string', default: 'q8_0' },
      recording: { type: 'string' },
      beam: { type: 'string', default: '5' },
      top: { type: 'string', default: '25' },
    },
  })
  const [beam, top] = [positive('beam', values.beam), positive('top', values.top)]
  const recording = values.recording ?? (await material('jfk.wav', log))
  const folder = await mkdtemp(join(tmpdir(), 'whisper-hip-profile-'))
  try {
    const model = await load(values.model, /** @type {WeightType} */ (values.type), folder)
    // The modules are loaded already: this only tells about them.
    const { computeThreads: threads } = await addon().loadBackends([])
    const kernels = process.env.WHISPER_HIP_CPU || 'the best of this processor'
    console.log(`${cpus()[0]?.model}, ${threads} threads; kernels: ${kernels}; load ${loadAverage()}`)
    const measureLimits = await limitsOf(folder, threads)
    const before = await measureLimits()
    const measured = await profile(model, recording, beam)
    const after = await measureLimits()
    await model.dispose()

    printLimits(before, after)
    const title = `${values.model} ${values.type}, beam ${beam}, ${basename(recording)}`
    printOperations(title, measured.operations, greater(before, after), top)
    printWhole(measured)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  console.log(`\nload at the end: ${loadAverage()}`)
})
