#!/usr/bin/env node
// @ts-check
/**
 * Counts what the HIP module asks of a GPU for one transcription: kernel launches, waits of the host, and bytes that come back.
 *
 *   node bench/launches.mjs [--model base]
 *
 * Runs the real module on a runtime that computes nothing (test/hip/stub-runtime), so it needs the module in build/Release (or the
 * one that WHISPER_HIP_LIBRARY names), a system whose C library the module can use, and no GPU. It counts and measures no time: the
 * numbers are the same on every machine. Nothing is computed, so all tokens are equally probable, and the text means nothing.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { BuildError, run } from '../scripts/support/script.mjs'
import { buildDoubles } from '../test/hip/build.mjs'
import { importSources } from './support/prepare.mjs'
import { printTable } from './support/table.mjs'

/** @typedef {Record<string, number>} Counts what the stub has counted, by key */

const WINDOW = 30
// Of equal tokens a search takes the same again and again, and ends at the twelfth.
const FEW = 2
const MANY = 10

/** Ways to decode, each with so many sequences side by side. */
const WAYS = {
  'greedy (beamSize 1)': { sequences: 1, options: { beamSize: 1, temperature: 0 } },
  'five beams (beamSize 5)': { sequences: 5, options: { beamSize: 5, temperature: 0 } },
}

/** @type {Record<string, (counts: Counts) => number>} */
const FIGURES = {
  'kernel launches': (counts) => (counts.launches ?? 0) + (counts['launches.inGraphs'] ?? 0),
  'products by hipBLAS': (counts) => sum(counts, (key) => /^call\.hipblas(Sgemm|Gemm\w+)$/.test(key)),
  'waits of the host': (counts) =>
    sum(counts, (key) => /^call\.hip(Stream|Device|Event)Synchronize$/.test(key)),
  'copies to the host': (counts) => counts['copies.deviceToHost'] ?? 0,
  'bytes to the host': (counts) => counts['copies.deviceToHost.bytes'] ?? 0,
  'copies to the device': (counts) => counts['copies.hostToDevice'] ?? 0,
  'bytes to the device': (counts) => counts['copies.hostToDevice.bytes'] ?? 0,
}

/** @param {Counts} counts @param {(key: string) => boolean} belongs */
const sum = (counts, belongs) =>
  Object.entries(counts).reduce((total, [key, value]) => (belongs(key) ? total + value : total), 0)

/** @param {number} value */
const format = (value) => value.toLocaleString('en', { maximumFractionDigits: 2 })

await run(async () => {
  const { values } = parseArgs({ options: { model: { type: 'string', default: 'base' } } })
  buildDoubles()
  const { obtainModel, stubScene } = await importSources()
  const model = values.model.includes('/') ? values.model : await obtainModel(values.model)
  const scene = stubScene()
  try {
    const environment = { WHISPER_HIP_STUB: `@${scene.path('stub')}` }
    writeFileSync(scene.path('stub'), '')
    await scene.trust(environment)
    for (const [name, way] of Object.entries(WAYS)) {
      /** @param {number} windows @param {number} tokens of each */
      const count = async (windows, tokens) => {
        writeFileSync(scene.path('stub'), `counts=${scene.path('counts')}; fill=0`)
        const options = { ...way.options, language: 'en', timestamps: 'none', maxTokens: tokens }
        const { came, stderr } = await scene.observe(
          [['load', model, { backend: 'hip' }], ['transcribe', windows * WINDOW, options], ['assert']],
          environment,
        )
        const failure = came.find(({ error }) => error !== undefined)
        if (failure) throw new BuildError(`${failure.step} failed: ${failure.error?.message}\n${stderr}`)
        return /** @type {Counts} */ (JSON.parse(readFileSync(scene.path('counts'), 'utf8')))
      }
      const [few, many, twice] = [await count(1, FEW), await count(1, MANY), await count(2, FEW)]
      const rows = Object.entries(FIGURES).map(([figure, of]) => {
        const token = (of(many) - of(few)) / (MANY - FEW)
        const window = of(twice) - of(few) - FEW * token
        return [figure, format(token), format(window)]
      })
      printTable(
        `${values.model}, ${name}: a step decodes ${way.sequences} ${way.sequences === 1 ? 'token' : 'tokens'}`,
        ['', 'for a step', 'for a window of 30 s'],
        rows,
      )
    }
  } finally {
    scene[Symbol.dispose]()
  }
})
