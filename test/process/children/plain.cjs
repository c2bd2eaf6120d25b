/** An ordinary program: it prints the text of a recording. */
const { ENTRY, SMALL_MODEL } = process.env
const { transcribe } = require(ENTRY)

const hum = Float32Array.from({ length: 16_000 * 5 }, (_, i) => 0.3 * Math.sin(i / 7))
process.stdout.on('error', () => {})

async function main() {
  const { text } = await transcribe(hum, { model: SMALL_MODEL, backend: 'cpu', language: 'en' })
  console.log(text)
}

main()
