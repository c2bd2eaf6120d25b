/**
 * Streams that live for long, or that are left alone. Run it with --expose-gc.
 *
 *     node live.cjs SCENE
 *
 * Prints one line of JSON. The materials of ../child.ts are in the environment, and RECORDING: a wav file of speech, 16 kHz mono.
 */
const { once } = require('node:events')
const { readFileSync } = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const { ENTRY, ADDON, SMALL_MODEL, RECORDING } = process.env
const { loadModel } = require(ENTRY)
const native = require(ADDON)

const speech = readFileSync(RECORDING).subarray(44)
const silence = (seconds) => Buffer.alloc(32_000 * seconds)
let state = 1
const noise = (seconds) =>
  Buffer.from(
    Int16Array.from({ length: 16_000 * seconds }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return state / 0x40000 - 4096
    }).buffer,
  )
const load = () => loadModel(SMALL_MODEL, { backend: 'cpu' })
/** What is quickest: memory is what counts here. */
const quick = { language: 'en', beamSize: 1, temperature: 0 }
const tell = (object) => console.log(JSON.stringify(object))

async function write(live, bytes) {
  if (!live.write(bytes)) await once(live, 'drain')
}

/** Bytes that are in use when nothing is going on. */
async function inUse() {
  for (let i = 0; i < 5; i++) {
    gc({ type: 'major', flavor: 'last-resort' })
    await sleep(20)
  }
  const { rss, heapTotal, heapUsed } = process.memoryUsage()
  return rss - heapTotal + heapUsed
}

const scenes = {
  /** Ends by itself as soon as the last final is there. */
  'nobody reads': async () => {
    const live = (await load()).stream({ language: 'en' })
    live.write(speech)
    live.finish().then(() => tell({ finished: true }))
  },
  /** Is not waited for. */
  'left open': async () => {
    const live = (await load()).stream({ language: 'en', partials: false })
    live.write(silence(5))
    await live.flush()
    tell({ open: !live.writableEnded })
  },
  /** Ten minutes of speech, pauses and noise, in which all partials are decoded. */
  'ten minutes': async () => {
    const live = (await load()).stream({ ...quick, policy: 'agreement', step: 1.5 })
    const seen = { final: 0, partial: 0 }
    live.on('data', ({ type }) => {
      seen[type]++
    })
    const minute = [speech, silence(5), noise(4), speech, silence(2), speech, silence(3), noise(2), speech]
    const hear = async (minutes) => {
      for (const part of Array.from({ length: minutes }, () => minute).flat()) {
        for (let at = 0; at < part.length; at += 32_000) {
          await write(live, part.subarray(at, at + 32_000))
          while (live.decoding) await sleep(1)
        }
      }
      await live.flush()
    }
    await hear(2)
    const before = await inUse()
    const growth = []
    for (let i = 0; i < 4; i++) {
      await hear(2)
      growth.push((await inUse()) - before)
    }
    await live.finish()
    tell({ ...seen, growth })
  },
  /** The reader stops for twelve minutes, and then reads all. */
  'slow reader': async () => {
    const live = (await load()).stream(quick)
    const hear = async (minutes) => {
      for (let i = 0; i < 4 * minutes; i++) for (const part of [speech, silence(4)]) await write(live, part)
      await live.flush()
    }
    await hear(1)
    const before = await inUse()
    await hear(12)
    const grown = (await inUse()) - before
    live.end()
    const seen = { final: 0, partial: 0, stats: 0, 'speech-start': 0, 'speech-end': 0 }
    let inOrder = true
    let last = -1
    for await (const { type, utterance } of live) {
      seen[type]++
      if (type !== 'final') continue
      inOrder &&= utterance === last + 1
      last = utterance
    }
    tell({ ...seen, grown, inOrder })
  },
  /** 50 streams in any state are opened and dropped, again and again. */
  dropped: async () => {
    const model = await load()
    let collected = 0
    const registry = new FinalizationRegistry(() => collected++)
    const drop = async (i) => {
      const live = model.stream({ ...quick, policy: i % 2 ? 'agreement' : 'phrase' })
      registry.register(live, i)
      if (i % 3 > 0) live.on('data', () => {})
      live.write(i % 5 > 0 ? speech.subarray(0, 64_000) : silence(2))
      if (i % 7 === 0) await sleep(5)
      if (i % 11 === 0) live.end()
      if (i % 2 === 0) live.destroy()
    }
    const found = []
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 50; i++) await drop(i)
      for (let i = 0; i < 2000 && collected < 50 * (round + 1); i++) {
        gc()
        await sleep(10)
      }
      found.push(await inUse())
    }
    tell({ collected, counters: native.counters(), growth: found.map((bytes) => bytes - found[1]) })
  },
}

scenes[process.argv[2]]()
