/**
 * Uses the library as an application does, step by step, and prints one line of JSON with what came of it.
 * argv: JSON of { steps, folder }. A step is [name, …arguments]; see STEPS.
 */
const { createRequire } = require('node:module')
const { setTimeout: pause } = require('node:timers/promises')
const { appendFileSync } = require('node:fs')

const { ENTRY, OBSERVATIONS } = process.env
const whisper = createRequire(__filename)(ENTRY)
const hum = (seconds) => Float32Array.from({ length: 16_000 * seconds }, (_, i) => 0.3 * Math.sin(i / 7))

const models = []
let last

/** An error, or a plain value. */
const plain = (error) =>
  error instanceof Error
    ? {
        name: error.name,
        code: error.code,
        reason: error.reason,
        message: error.message,
        advice: error.advice,
        detail: error.detail,
      }
    : error

const STEPS = {
  /** backendInfo() */
  info: (options) => {
    return whisper.backendInfo(options)
  },
  /** assertGpu() of the answer of the step before */
  assert: () => whisper.assertGpu(last),
  /** loadModel(); later steps use it */
  load: async (input, options) => {
    const model = await whisper.loadModel(input, options)
    models.push(model)
    return model.backend
  },
  /** A recording, or so many seconds of sound. */
  transcribe: async (audio, options) => {
    const sound = typeof audio === 'string' ? audio : hum(audio ?? 5)
    const { text, stats, segments } = await models.at(-1).transcribe(sound, options)
    return { text, stats, tokens: segments.reduce((sum, { tokens }) => sum + tokens.length, 0) }
  },
  /** All at once, each with its own model or not. */
  loadTwice: async (input, options) => {
    const loaded = await Promise.all([whisper.loadModel(input, options), whisper.loadModel(input, options)])
    models.push(...loaded)
    return loaded.map(({ backend }) => backend)
  },
  dispose: async () => {
    await models.pop().dispose()
  },
  pid: () => process.pid,
}

/** Written at once: it is there however this process ends. */
const tell = (entry) => appendFileSync(OBSERVATIONS, `${JSON.stringify(entry)}\n`)

process.on('warning', (warning) => tell({ warning: plain(warning) }))

async function main() {
  for (const [name, ...args] of JSON.parse(process.argv[2])) {
    const start = performance.now()
    const seconds = () => (performance.now() - start) / 1000
    try {
      last = await STEPS[name](...args)
      tell({ step: name, value: last ?? null, seconds: seconds() })
    } catch (error) {
      tell({ step: name, error: plain(error), seconds: seconds() })
    }
  }
  await pause(10) // warnings come later
  tell({ end: true })
}

main()
