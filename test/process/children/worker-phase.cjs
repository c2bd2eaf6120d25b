/** A worker thread that brings the library into a phase and tells its parent "now". See phases.cjs. */
const { parentPort, workerData } = require('node:worker_threads')
const { ENTRY, SMALL_MODEL, SLOW_MODEL, LONG_AUDIO } = process.env
const { loadModel } = require(ENTRY)

const speech = (seconds) => Float32Array.from({ length: 16_000 * seconds }, (_, i) => 0.3 * Math.sin(i / 7))
const greedy = { language: 'en', beamSize: 1, temperature: 0 }
const now = () => parentPort.postMessage('now')
const load = (path, options) => loadModel(path, { backend: 'cpu', ...options })

const phases = {
  loading: () => load(SLOW_MODEL, { onProgress: now }),
  'decoding audio': async () => {
    const model = await load(SMALL_MODEL)
    setTimeout(now, 100)
    await model.transcribe(LONG_AUDIO, greedy)
  },
  encoding: async () => {
    const model = await load(SLOW_MODEL)
    setTimeout(now, 200)
    await model.transcribe(speech(10), greedy)
  },
  'decoding text': async () => {
    const model = await load(SMALL_MODEL)
    await model.transcribe(speech(90), { ...greedy, onSegment: now })
  },
  'hearing live audio': async () => {
    const model = await load(SLOW_MODEL)
    const live = model.stream({ vad: false, policy: 'agreement', language: 'en' })
    live.write(Buffer.from(Int16Array.from(speech(3), (sample) => 32_767 * sample).buffer))
    setTimeout(now, 100)
    await live.finish()
  },
  idle: async () => {
    const model = await load(SMALL_MODEL)
    await model.transcribe(speech(10), greedy)
    setInterval(() => {}, 1000)
    now()
  },
}

phases[workerData]()
