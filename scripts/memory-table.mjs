#!/usr/bin/env node
// @ts-check
/**
 * Writes the tables of memory in docs/models.md from lib/model/memory.ts. A test compares the two.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { importTypeScript } from './support/import-typescript.mjs'
import { packageRoot } from './support/package.mjs'
import { isMain, log, run } from './support/script.mjs'

const PAGE = join(packageRoot, 'docs', 'models.md')
const BEGIN = '<!-- memory: made by `node scripts/memory-table.mjs` from lib/model/memory.ts -->'
const END = '<!-- end of memory -->'

/** Of all languages and by size: what the second table chooses from. */
const LADDER = /** @type {const} */ (['tiny', 'base', 'small', 'medium', 'large-v3-turbo', 'large-v3'])
const TYPES = /** @type {const} */ (['F16', 'Q8_0', 'Q5_0'])
const CARDS = [1, 2, 4, 6, 8, 12, 16, 24]
/** Part of a card's memory that a model may take. */
const SHARE = 0.8
/** Transcriptions of a model: the largest `concurrency`. */
const MOST_AT_ONCE = 16

/** @typedef {import('../lib/model/memory.ts').MemoryEstimate} MemoryEstimate */
/** @typedef {import('../lib/model/shapes.ts').ShapeName} Name */
/** @typedef {typeof TYPES[number]} Type */

/** The part of the page between the markers, without them. */
export async function renderMemory() {
  const folder = join(packageRoot, 'lib', 'model')
  const { memoryOf } = await importTypeScript(folder, join(folder, 'memory.ts'))
  const { GgmlType } = await importTypeScript(folder, join(folder, 'plan.ts'))
  const { shapeNames, shapeOf } = await importTypeScript(folder, join(folder, 'shapes.ts'))

  /** @param {Name} name @param {Type} type @param {number} [states] @returns {MemoryEstimate} */
  const memory = (name, type, states = 1) => {
    return memoryOf({
      hyperparameters: shapeOf(name),
      weightType: GgmlType[type],
      beams: 5,
      states,
      windows: 1,
      flashAttention: true,
    })
  }
  const sizes = shapeNames.map((/** @type {Name} */ name) => {
    const weights = TYPES.map((type) => megabytes(memory(name, type).weights))
    const { buffers, perState, total } = memory(name, 'F16')
    return [`\`${name}\``, ...weights, megabytes(buffers), megabytes(perState), megabytes(total)]
  })
  const cards = CARDS.map((gibibytes) => {
    const room = SHARE * gibibytes * 2 ** 30
    const largest = TYPES.map((type) => {
      const name = LADDER.findLast((candidate) => memory(candidate, type).total <= room)
      return name === undefined ? 'none' : `\`${name}\``
    })
    let atOnce = 0
    while (atOnce < MOST_AT_ONCE && memory('large-v3', 'F16', atOnce + 1).total <= room) atOnce++
    return [`${gibibytes} GiB`, ...largest, String(atOnce)]
  })
  return [
    table(
      ['MB', 'weights f16', 'q8_0', 'q5_0', 'buffers', 'each transcription at once', 'together, f16'],
      sizes,
    ),
    table(['memory of the GPU', 'f16', 'q8_0', 'q5_0', '`large-v3` as f16, at once'], cards),
  ].join('\n\n')
}

/** @param {number} bytes */
const megabytes = (bytes) => (bytes / 1e6).toFixed(0)

/** @param {string[]} head @param {string[][]} rows */
function table(head, rows) {
  /** @param {string[]} cells */
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/**
 * The page with the tables as they should be.
 * @param {string} page
 */
export async function withTables(page) {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`${PAGE} lacks the markers of the tables`)
  return `${page.slice(0, begin)}${BEGIN}\n\n${await renderMemory()}\n\n${page.slice(end)}`
}

if (isMain(import.meta.url))
  await run(async () => {
    const page = readFileSync(PAGE, 'utf8')
    const text = await withTables(page)
    if (text === page) return log(`${PAGE} is up to date`)
    writeFileSync(PAGE, text)
    log(`wrote ${PAGE}`)
  })
