/**
 * Loads the library from several packages at once, and prints what each says, and how many lines of log each had.
 *
 *     node copies.cjs PACKAGE…
 */
const { SMALL_MODEL } = process.env
const hum = Float32Array.from({ length: 16_000 * 5 }, (_, i) => 0.3 * Math.sin(i / 7))

async function run(path) {
  const { loadModel, setLogger } = require(path)
  let lines = 0
  setLogger(() => lines++)
  const model = await loadModel(SMALL_MODEL, { backend: 'cpu' })
  const { text } = await model.transcribe(hum, { language: 'en', beamSize: 3, temperature: 0 })
  await model.dispose()
  return [text, lines > 0]
}

Promise.all(process.argv.slice(2).map(run)).then((outcomes) => console.log(JSON.stringify(outcomes)))
