/**
 * Uses the library from inside of an archive, or from what stands for one, and prints what came of it.
 *
 *     node packed.cjs PACKAGE WAY…   where WAY is `info`, `transcribe`, `vad` or `isolated`
 */
const { join } = require('node:path')
const { SMALL_MODEL } = process.env
const [folder, ...ways] = process.argv.slice(2)
const { backendInfo, detectSpeech, loadModel } = require(join(folder, 'dist/index.js'))
const hum = Float32Array.from({ length: 16_000 * 5 }, (_, i) => 0.3 * Math.sin(i / 7))

async function transcribe(options) {
  const model = await loadModel(SMALL_MODEL, { backend: 'cpu', ...options })
  const { text } = await model.transcribe(hum, { language: 'en', beamSize: 1, temperature: 0 })
  await model.dispose()
  return text
}

const run = {
  info: async () => (await backendInfo()).libraries,
  transcribe: () => transcribe({}),
  isolated: () => transcribe({ isolation: 'process' }),
  vad: async () => (await detectSpeech(hum)).segments?.length ?? 'done',
}

async function main() {
  const outcomes = {}
  for (const way of ways) {
    try {
      outcomes[way] = await run[way]()
    } catch ({ code, message, advice }) {
      outcomes[way] = { code, message, advice }
    }
  }
  console.log(JSON.stringify(outcomes))
}

main()
