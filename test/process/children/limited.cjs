/**
 * Loads and transcribes under whatever limit the process has, several times.
 * Prints one line of JSON: { codes, errors, texts, growth }, growth being that of the address space by the last six attempts in MiB.
 */
const { readFileSync } = require('node:fs')
const { ENTRY, SLOW_MODEL } = process.env
const { loadModel } = require(ENTRY)

const hum = Float32Array.from({ length: 16_000 }, (_, i) => 0.3 * Math.sin(i / 7))
const outcome = { codes: [], errors: [], texts: [], growth: 0 }
const size = () => Number(readFileSync('/proc/self/status', 'utf8').match(/VmSize:\s+(\d+)/)[1]) / 1024

function note(error) {
  outcome.codes.push(error.code)
  if (error.code !== 'ERR_OUT_OF_MEMORY') outcome.errors.push(String(error.stack))
}

async function attempt() {
  const model = await loadModel(SLOW_MODEL, { backend: 'cpu' })
  for (const beamSize of [1, 5]) {
    const job = model.transcribe(hum, { language: 'en', beamSize, temperature: 0, maxTokens: 3 })
    await job.then(({ text }) => outcome.texts.push(text), note)
  }
  await model.dispose()
}

async function main() {
  // The allocator keeps some of what it was given.
  for (let round = 0; round < 3; round++) await attempt().catch(note)
  const before = size()
  for (let round = 0; round < 6; round++) await attempt().catch(note)
  outcome.growth = size() - before
  console.log(JSON.stringify(outcome))
}

main()
