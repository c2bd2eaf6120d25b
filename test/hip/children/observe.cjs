/**
 * Uses the library as an application does, step by step, and prints one line of JSON with what came of it.
 * argv: JSON of { steps, folder }. A step is [name, …arguments]; see STEPS.
 */
const { createRequire } = require('node:module')
const { setTimeout: pause } = require('node:timers/promises')
const { execFileSync } = require('node:child_process')
const { appendFileSync, readFileSync, writeFileSync } = require('node:fs')
const { SHARE_ENV, Worker } = require('node:worker_threads')

const { ENTRY, OBSERVATIONS } = process.env
const whisper = createRequire(__filename)(ENTRY)
const hum = (seconds) => Float32Array.from({ length: 16_000 * seconds }, (_, i) => 0.3 * Math.sin(i / 7))

const models = []
const begun = []
let last

/** How often this process has reached a place of the double, by its trace. */
const traced = (trace, place) =>
  readFileSync(trace, 'utf8')
    .split('\n')
    .filter((line) => line === `${process.pid} ${place}` || line.startsWith(`${process.pid} ${place} `))
    .length

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
  write: (path, text) => writeFileSync(path, text),
  /** Probabilities of languages. */
  detect: async (seconds) => await models.at(-1).detectLanguage(hum(seconds ?? 5)),
  /** Live transcription of so many seconds: the texts of its events. */
  live: async (seconds, options) => {
    const live = models.at(-1).stream(options)
    live.end(Buffer.from(hum(seconds).buffer))
    const events = []
    for await (const event of live) events.push(event)
    return events
  },
  /** Begins another step and does not wait for it. */
  begin: async (name, ...args) => {
    const ending = (async () => STEPS[name](...args))()
    begun.push(
      ending.then(
        (value) => ({ value }),
        (error) => ({ error: plain(error) }),
      ),
    )
    await pause(500)
  },
  /** What came of all that was begun. */
  settled: async () => await Promise.all(begun.splice(0)),
  /** A job that is cancelled when the double has reached a place so often; then how often it was reached, now and later. */
  cancel: async (trace, place, times, options) => {
    const controller = new AbortController()
    const before = traced(trace, place)
    const job = models.at(-1).transcribe(hum(5), { ...options, signal: controller.signal })
    job.catch(() => {})
    while (traced(trace, place) < before + times) await pause(5)
    const then = traced(trace, place)
    controller.abort(new Error('cancelled'))
    const ended = await job.then(
      () => 'finished',
      (error) => error.message,
    )
    await pause(500)
    return { ended, more: traced(trace, place) - then }
  },
  /** A worker takes steps and is terminated after so long; how long that took. */
  worker: async (steps, milliseconds) => {
    const worker = new Worker(__filename, { argv: [JSON.stringify(steps)], env: SHARE_ENV })
    await pause(milliseconds)
    const start = performance.now()
    await worker.terminate()
    return (performance.now() - start) / 1000
  },
  /** The process ends in some way, in the middle of whatever was begun. */
  end: async (way, code) => {
    if (way === 'exit') process.exit(code)
    if (way === 'exitCode') process.exitCode = code
    if (way === 'throw')
      setImmediate(() => {
        throw new Error('uncaught')
      })
    if (way === 'SIGTERM') process.kill(process.pid, way)
    if (way !== 'exitCode') await pause(100_000)
  },
  /** The same program once more, in a child of this process. Its steps' lines come before this one. */
  child: (steps, environment = {}) => {
    execFileSync(process.execPath, [__filename, JSON.stringify(steps)], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  },
  /** Variables of this process. */
  environment: (...names) =>
    Object.fromEntries(names.flatMap((name) => (name in process.env ? [[name, process.env[name]]] : []))),
  /** Variables as a program that is started by this one has them. */
  inherited: (...names) => {
    const print = 'console.log(JSON.stringify(process.env))'
    const all = JSON.parse(execFileSync(process.execPath, ['-e', print], { encoding: 'utf8' }))
    return Object.fromEntries(names.flatMap((name) => (name in all ? [[name, all[name]]] : [])))
  },
  set: (name, value) => {
    process.env[name] = value
  },
  /** backendInfo() or loadModel(), with all that they tell. */
  told: async (input, options) => {
    const events = []
    const onProgress = (event) => events.push(event)
    if (input === null) await whisper.backendInfo({ ...options, onProgress })
    else models.push(await whisper.loadModel(input, { ...options, onProgress }))
    return events
  },
  /** With a callback that throws. */
  disturbed: async (input, options) => {
    const onProgress = () => {
      throw new RangeError('of the callback')
    }
    if (input === null) return whisper.backendInfo({ ...options, onProgress })
    return (await whisper.loadModel(input, { ...options, onProgress })).backend
  },
  /** Gives up after so many milliseconds. */
  giveUp: async (milliseconds, input, options) => {
    const signal = AbortSignal.timeout(milliseconds)
    if (input === null) return whisper.backendInfo({ ...options, signal })
    return (await whisper.loadModel(input, { ...options, signal })).backend
  },
  /** Goes on in spite of this signal. */
  outlive: (signal) => {
    process.on(signal, () => {})
  },
  pause: async (milliseconds) => {
    await pause(milliseconds)
  },
  /** Keeps the event loop from everything. */
  block: (milliseconds) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
  },
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
