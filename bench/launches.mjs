#!/usr/bin/env node
// @ts-check
/**
 * Counts what decoding asks of a GPU: kernel launches, waits of the host, and bytes that come back.
 *
 *   node bench/launches.mjs [--model base]
 *
 * Runs the engine and the real module on a runtime that computes nothing (test/hip/stub-runtime), so it needs the module in
 * build/Release, a system whose C library the module can use, and neither a GPU nor weights. It counts and measures no time: the
 * numbers are the same on every machine.
 */
import { parseArgs } from 'node:util'
import { BuildError, run } from '../scripts/support/script.mjs'
import { buildDoubles } from '../test/hip/build.mjs'
import { importSources } from './support/prepare.mjs'
import { printTable } from './support/table.mjs'

/** @typedef {Record<string, number>} Counts what the stub has counted, by key */

const CHIP = 'gfx1100'
// Tokens of a window: the first one comes of the prompt, each other one of a step. Of equal tokens a search takes the same again and again, and ends at the twelfth.
const FEW = 2
const MANY = 10

const WAYS = {
  'one sequence': { windows: 1, beams: 1 },
  'five beams': { windows: 1, beams: 5 },
  'eight windows side by side, five beams each': { windows: 8, beams: 5 },
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
  const { cpuModule, programsOnStub } = await importSources()
  const programs = await programsOnStub('bench/launches')
  try {
    for (const [name, { windows, beams }] of Object.entries(WAYS)) {
      /** @param {number} tokens of each window @param {number} rounds */
      const count = async (tokens, rounds) => {
        const args = [values.model, ...[windows, beams, tokens, rounds].map(String)]
        const { code, stderr, counts } = await programs.run('launches', CHIP, cpuModule(), ...args)
        if (code !== 0) throw new BuildError(`The program failed: ${stderr}`)
        return counts
      }
      const [few, many, twice] = [await count(FEW, 1), await count(MANY, 1), await count(FEW, 2)]
      const rows = Object.entries(FIGURES).map(([figure, of]) => {
        const step = (of(many) - of(few)) / (MANY - FEW)
        const window = (of(twice) - of(few) - (FEW - 1) * step) / windows
        return [figure, format(step), format(window)]
      })
      printTable(`${values.model}, ${name}`, ['', 'a step', 'a window of 30 s, without its steps'], rows)
    }
  } finally {
    await programs[Symbol.asyncDispose]()
  }
})
