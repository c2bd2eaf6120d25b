/** Needs the library while the table of files is full, and again when it is not. Prints a line of JSON: { codes, text, active, duration }. */
const { closeSync, openSync } = require('node:fs')
const { ENTRY, SMALL_MODEL } = process.env
const { backendInfo, detectSpeech, loadModel } = require(ENTRY)

const hum = Float32Array.from({ length: 16_000 }, (_, i) => 0.3 * Math.sin(i / 7))

function fillTable() {
  const open = []
  try {
    for (;;) open.push(openSync('/dev/null'))
  } catch {
    return open
  }
}

async function main() {
  const open = fillTable()
  const errors = [
    await detectSpeech(hum).catch((error) => error),
    await detectSpeech(hum).catch((error) => error),
    await loadModel(SMALL_MODEL, { backend: 'cpu' }).catch((error) => error),
  ]
  for (const descriptor of open) closeSync(descriptor)
  const model = await loadModel(SMALL_MODEL, { backend: 'cpu' })
  const { text } = await model.transcribe(hum, { language: 'en', beamSize: 1, temperature: 0 })
  await model.dispose()
  const { active } = await backendInfo()
  const { duration } = await detectSpeech(hum)
  process.stdout.write(JSON.stringify({ codes: errors.map(({ code }) => code), text, active, duration }))
}

main()
