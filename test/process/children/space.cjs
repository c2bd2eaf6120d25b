/** Prints the peak of the address space in KiB: `idle`, with the addon loaded, or `full`, after a load and a transcription. */
const { readFileSync } = require('node:fs')
const { ENTRY, SLOW_MODEL } = process.env
const { backendInfo, loadModel } = require(ENTRY)

async function main() {
  await backendInfo()
  if (process.argv[2] === 'full') {
    const model = await loadModel(SLOW_MODEL, { backend: 'cpu' })
    await model.transcribe(new Float32Array(16_000).fill(0.1), {
      language: 'en',
      temperature: 0,
      maxTokens: 3,
    })
  }
  console.log(readFileSync('/proc/self/status', 'utf8').match(/VmPeak:\s+(\d+)/)[1])
}

main()
