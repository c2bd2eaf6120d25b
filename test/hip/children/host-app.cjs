/**
 * An application on a host that is not Node: a single executable, or one that a launcher starts. Each start of it writes a line
 * into STARTS, so that a test sees how many there were; each answer a line into ANSWERS.
 *
 * HOST: JSON of { steps, execPath, electron, last }. `last` is what it does at its end: `end`, `stay` (as one with a window), or
 * `speak` (it stays, and sends messages of its own to whoever started it).
 */
const { createRequire } = require('node:module')
const { appendFileSync, readFileSync } = require('node:fs')

const { ENTRY, STARTS, ANSWERS, HOST } = process.env
appendFileSync(STARTS, `${process.pid}\n`)
// A brake for the test: what it looks for must not fill the machine.
const starts = readFileSync(STARTS, 'utf8').trim().split('\n').length
if (starts > 12) process.exit(99)

const { steps, execPath, electron, last } = JSON.parse(HOST)
if (execPath) process.execPath = execPath
if (electron) Object.defineProperty(process, 'versions', { value: { ...process.versions, electron } })
const whisper = createRequire(ENTRY)(ENTRY)

const STEPS = {
  info: (options) => whisper.backendInfo(options),
  isolated: async (model, options) => {
    const loaded = await whisper.loadModel(model, { isolation: 'process', ...options })
    const sound = Float32Array.from({ length: 32_000 }, (_, i) => 0.3 * Math.sin(i / 7))
    const { text } = await loaded.transcribe(sound, { language: 'en', beamSize: 1, temperature: 0 })
    await loaded.dispose()
    return { text, backend: loaded.backend }
  },
}

const answer = (line) => appendFileSync(ANSWERS, `${JSON.stringify({ copy: starts - 1, ...line })}\n`)

async function main() {
  for (const [step, ...args] of steps) {
    try {
      answer({ step, value: await STEPS[step](...args) })
    } catch (error) {
      const { name, code, reason, message, advice } = error
      answer({ step, error: { name, code, reason, message, advice } })
    }
  }
}

const isCopy = starts > 1
if (isCopy && last === 'speak') process.send?.({ type: 'ready' })
if (isCopy && (last === 'stay' || last === 'speak')) setInterval(() => {}, 60_000)
void main()
