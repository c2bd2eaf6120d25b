import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { convertModel, loadModel } from '../../lib/index.ts'
import { melFilterBank } from '../../lib/model/mel.ts'
import { writeCt2Folder } from '../fixtures/ct2-builder.ts'
import { assembleGgml, buildGgml, ggmlParts } from '../fixtures/ggml-builder.ts'
import { cpu, greedy, hum, speaking, temporaryPath, withModel, writeTemporary } from './support.ts'

/**
 * The promise is 20 ms, which `bench/` measures on a quiet machine. Here the limit leaves room for a busy one: what is to be
 * found are loads, copies and waits on the JS thread, which take hundreds.
 */
const LIMIT = 50

/** The longest time in milliseconds for which the event loop did not turn while the work was done. */
async function longestGap(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let last = performance.now()
  const look = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  const timer = setInterval(look, 1)
  await work()
  look()
  clearInterval(timer)
  return longest
}

/** The best of three: what the machine adds is not always there. */
async function expectSmoothness(work: () => Promise<unknown>): Promise<void> {
  const gaps: number[] = []
  for (let round = 0; round < 3; round++) {
    gaps.push(await longestGap(work))
    if ((gaps.at(-1) as number) < LIMIT) return
  }
  expect.unreachable(`gaps of ${gaps.map(Math.round)} ms`)
}

/** The same in computing time of this thread, which other work on the machine does not lengthen. */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  const computed = () =>
    Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6
  let longest = 0
  let last = computed()
  const look = () => {
    const now = computed()
    longest = Math.max(longest, now - last)
    last = now
  }
  const timer = setInterval(look, 1)
  await work()
  look()
  clearInterval(timer)
  return longest
}

/** 60 MB. */
const big = { state: 256, layers: 8, audioContext: 64 }
const folder = temporaryPath('ct2')
let file: string
let bytes: Uint8Array
/** With the mel filters that GGUF takes. */
let filtered: string
let talking: Uint8Array

beforeAll(async () => {
  bytes = buildGgml(big)
  file = writeTemporary('big.bin', bytes)
  filtered = writeTemporary(
    'filters.bin',
    assembleGgml({ ...ggmlParts(big), filters: melFilterBank(80) }).bytes,
  )
  await writeCt2Folder(folder, { layers: 1, audioContext: 64 })
  talking = speaking({ script: [{ text: ' And so on, and so forth.'.repeat(4), start: 0, end: 29 }] })
  await withModel(talking, (model) => model.transcribe(hum(1), greedy))
})

describe('the event loop turns', () => {
  it.each(['a file', 'bytes', 'a folder'])(
    'while a model loads from %s, and while it is freed',
    async (kind) => {
      const input = kind === 'a file' ? file : kind === 'bytes' ? bytes : folder
      await expectSmoothness(async () => (await loadModel(input, cpu)).dispose())
    },
  )

  it.each(['gguf', 'bin'])('while a model becomes a .%s, which is compared with it', async (extension) => {
    const turns: number[] = []
    const work = () => convertModel(filtered, temporaryPath(`turned.${extension}`), { verify: true })
    for (let round = 0; round < 3; round++) turns.push(await longestTurn(work))
    expect(Math.min(...turns)).toBeLessThan(20)
  })

  it('while a load fails at its end', async () => {
    const cut = bytes.subarray(0, bytes.length - 1)
    await expectSmoothness(() => loadModel(cut, cpu).catch(() => {}))
  })

  it.each([1, 3])('while %d transcriptions run', async (count) => {
    const audio = hum(30)
    await withModel(talking, async (model) => {
      await expectSmoothness(() =>
        Promise.all(Array.from({ length: count }, () => model.transcribe(audio, { ...greedy, beamSize: 2 }))),
      )
    })
  })

  it('while an hour of samples is taken, and cancelled', async () => {
    const audio = new Float32Array(3600 * 16_000)
    await withModel(talking, async (model) => {
      await expectSmoothness(() => model.transcribe(audio, greedy))
      await expectSmoothness(async () => {
        const job = model.transcribe(audio, greedy)
        setTimeout(() => job.cancel(), 300)
        await job.catch(() => {})
      })
    })
  })

  it('while a model with running jobs is disposed', async () => {
    const audio = hum(60)
    await expectSmoothness(async () => {
      const model = await loadModel(talking, cpu)
      const jobs = [1, 2, 3].map(() => model.transcribe(audio, greedy).catch(() => {}))
      await new Promise((resolve) => setTimeout(resolve, 100))
      await model.dispose()
      await Promise.all(jobs)
    })
  })
})
