/**
 * Brings the library into a phase and then does something drastic.
 *
 *     node phases.cjs PHASE ACTION
 *
 * Prints "now" right before the action, or when a signal may come. The materials of ../child.ts are in the environment.
 */
const { ENTRY, SMALL_MODEL, SLOW_MODEL, LONG_AUDIO } = process.env
const { loadModel } = require(ENTRY)

const [, , phase, action] = process.argv
const hum = (seconds) => Float32Array.from({ length: 16_000 * seconds }, (_, i) => 0.3 * Math.sin(i / 7))
const greedy = { language: 'en', beamSize: 1, temperature: 0 }
const load = (path, options) => loadModel(path, { backend: 'cpu', ...options })

for (const signal of ['SIGINT', 'SIGTERM']) {
  if (action === `${signal} handled`) process.on(signal, () => process.exit(42))
}

let done = false

function act() {
  if (done) return
  done = true
  process.stdout.write('now\n')
  if (action === 'exit') process.exit(7)
  if (action === 'throw') setImmediate(throwIt)
  if (action === 'reject') Promise.reject(new Error('mine'))
  if (action.startsWith('SIG')) setInterval(() => {}, 1000)
}

function throwIt() {
  throw new Error('mine')
}

const phases = {
  loading: () => load(SLOW_MODEL, { onProgress: act }),
  'decoding audio': async () => {
    const model = await load(SMALL_MODEL)
    setTimeout(act, 100)
    await model.transcribe(LONG_AUDIO, greedy)
  },
  encoding: async () => {
    const model = await load(SLOW_MODEL)
    setTimeout(act, 100)
    await model.transcribe(hum(1), greedy)
  },
  'decoding text': async () => {
    const model = await load(SMALL_MODEL)
    await model.transcribe(hum(90), {
      ...greedy,
      onSegment: () => setTimeout(act, Number(process.env.DELAY ?? 0)),
    })
  },
  'hearing live audio': async () => {
    const model = await load(SLOW_MODEL)
    const live = model.stream({ vad: false, policy: 'agreement', language: 'en' })
    live.on('error', () => {})
    live.write(Buffer.from(Int16Array.from(hum(3), (sample) => 32_767 * sample).buffer))
    setTimeout(act, 100)
    await live.finish()
  },
  disposing: async () => {
    const model = await load(SLOW_MODEL)
    model.transcribe(hum(1), greedy).catch(() => {})
    setTimeout(() => {
      model.dispose()
      act()
    }, 100)
  },
}

phases[phase]()
