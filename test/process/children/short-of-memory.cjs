// Detects speech while memory runs out on the thread of the work, at each allocation in turn (short-of-memory.cpp). Prints how each
// attempt ended: codes of errors, at last the number of pieces.
const { detectSpeech } = require(process.env.ENTRY)

async function attempt() {
  try {
    return (await detectSpeech(new Float32Array(16_000))).segments.length
  } catch (error) {
    return error.code ?? String(error)
  }
}

async function main() {
  const outcomes = []
  do {
    process.env.ALLOCATIONS_LEFT = String(outcomes.length)
    outcomes.push(await attempt())
  } while (typeof outcomes.at(-1) === 'string' && outcomes.length < 10_000)
  delete process.env.ALLOCATIONS_LEFT
  outcomes.push(await attempt())
  console.log(JSON.stringify(outcomes))
}

main()
