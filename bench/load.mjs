// @ts-check
import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { library } from './support/library.mjs'
import { median, printTable } from './support/table.mjs'

/** What a load is held against: 1.3 times the time that reading the file and copying the weights takes. */
const types = /** @type {const} */ (['f16', 'q8_0'])

/**
 * Wall time of loadModel() from GGUF, the file in the page cache, beside `cat FILE > /dev/null` and a copy of as many bytes as the weights have
 * into memory that is new to the process. Every round does all three.
 * @param {import('./support/prepare.mjs').Subjects} subjects
 * @param {{ runs: number }} settings
 */
export async function measureLoad({ ggml }, { runs }) {
  const { convertModel, loadModel } = library()
  const rows = []
  for (const type of types) {
    const path = join(dirname(ggml), `base-${type}.gguf`)
    if (!existsSync(path)) await convertModel(ggml, path, { weightType: type })
    /** @type {Record<'load' | 'cat' | 'copy', number[]>} */
    const times = { load: [], cat: [], copy: [] }
    for (let round = -1; round < runs; round++) {
      let bytes = 0
      const load = await seconds(async () => {
        const model = await loadModel(path, { backend: 'cpu' })
        bytes = model.info.memoryBytes
        return () => model.dispose()
      })
      const cat = await seconds(async () => readWhole(path))
      const source = Buffer.alloc(bytes, 1)
      const copy = await seconds(async () => {
        source.copy(Buffer.allocUnsafeSlow(bytes))
      })
      // The first round brings the file into the page cache and the library into memory.
      if (round < 0) continue
      times.load.push(load)
      times.cat.push(cat)
      times.copy.push(copy)
    }
    const load = median(times.load)
    const cat = median(times.cat)
    const copy = median(times.copy)
    const show = (/** @type {number} */ value) => `${(1000 * value).toFixed(0)} ms`
    rows.push([`base ${type}`, show(load), show(cat), show(copy), (load / (cat + copy)).toFixed(2)])
  }
  printTable(`Load from GGUF, ${runs} runs, median`, ['model', 'loadModel', 'cat', 'copy', 'ratio'], rows)
}

/** @param {() => Promise<void | (() => unknown)>} work gives what is to be done after the clock has stopped */
async function seconds(work) {
  const start = performance.now()
  const after = await work()
  const time = (performance.now() - start) / 1000
  await after?.()
  return time
}

/** @param {string} path */
function readWhole(path) {
  const nowhere = openSync('/dev/null', 'w')
  try {
    execFileSync('cat', [path], { stdio: ['ignore', nowhere, 'inherit'] })
  } finally {
    closeSync(nowhere)
  }
}
