/**
 * An application with an isolated model.
 *
 *     node isolated.cjs WHAT
 *
 * Prints the id of the model's process where a test needs it, "now" when it may act, and "done" when a job is done.
 */
const { readFileSync, readdirSync } = require('node:fs')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const { ENTRY, SMALL_MODEL, SLOW_MODEL } = process.env
const { loadModel } = require(ENTRY)

const hum = (seconds) => Float32Array.from({ length: 16_000 * seconds }, (_, i) => 0.3 * Math.sin(i / 7))
const greedy = { language: 'en', beamSize: 1, temperature: 0 }
const load = (path = SMALL_MODEL, options) =>
  loadModel(path, { backend: 'cpu', isolation: 'process', ...options })
function once(call) {
  let called = false
  return () => {
    if (!called) call()
    called = true
  }
}
const say = (text) => process.stdout.write(`${text}\n`)

function modelProcesses() {
  const threads = readdirSync('/proc/self/task')
  const ids = threads.flatMap(
    (id) => readFileSync(`/proc/self/task/${id}/children`, 'utf8').match(/\d+/g) ?? [],
  )
  return ids.filter((id) => readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('isolated-child'))
}

const programs = {
  idle: async () => {
    await load()
    say(modelProcesses())
  },
  busy: async () => {
    const model = await load()
    model.transcribe(hum(60), greedy).then(({ segments }) => say(`done ${segments.length}`))
  },
  // Waits for a signal.
  waiting: async () => {
    const model = await load(SLOW_MODEL)
    say(modelProcesses())
    process.on('SIGINT', () => say('asked'))
    const job = model.transcribe(hum(5), greedy)
    setTimeout(say, 300, 'now')
    say(`done ${(await job).segments.length}`)
  },
  loading: () => {
    const tell = once(() => say(modelProcesses()))
    return load(SLOW_MODEL, { onProgress: tell })
  },
  exit: async () => {
    const model = await load(SLOW_MODEL)
    say(modelProcesses())
    model.transcribe(hum(60), greedy).catch(() => {})
    setTimeout(() => process.exit(7), 300)
  },
  throw: async () => {
    const model = await load(SLOW_MODEL)
    say(modelProcesses())
    model.transcribe(hum(60), greedy).catch(() => {})
    setTimeout(() => {
      throw new Error('mine')
    }, 300)
  },
  warned: async () => {
    const models = await Promise.all([
      load(SMALL_MODEL, { backend: 'auto' }),
      load(SMALL_MODEL, { backend: 'auto' }),
    ])
    for (const model of models) await model.dispose()
  },
  worker: async () => {
    const worker = new Worker(__filename, { argv: ['in worker'] })
    worker.on('message', say)
    await new Promise((resolve) => worker.once('exit', resolve))
    say(modelProcesses().length)
  },
  terminated: async () => {
    const worker = new Worker(__filename, { argv: ['in worker'], workerData: 'stay' })
    await new Promise((resolve) => worker.once('message', resolve))
    say(modelProcesses())
    await worker.terminate()
  },
  'in worker': async () => {
    const model = await load()
    if (workerData === 'stay') model.transcribe(hum(600), greedy).catch(() => {})
    const { text } = await model.transcribe(hum(5), greedy)
    parentPort.postMessage(text)
    if (workerData !== 'stay') await model.dispose()
  },
  forgotten: async () => {
    await (async () => {
      const model = await load()
      await model.transcribe(hum(5), greedy)
    })()
    for (let i = 0; i < 100 && modelProcesses().length > 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      globalThis.gc()
    }
    say(modelProcesses().length)
  },
}

if (isMainThread || process.argv[2] === 'in worker') programs[process.argv[2]]()
