/**
 * Tightens the limit of its own address space while it runs jobs, and lifts it again.
 *
 *     node tightened.cjs MARGIN…     how many MiB the jobs may take beside what is there
 *
 * Prints one line of JSON: an array of [margin, outcomes], an outcome being a text or a code, then the text of a last job.
 */
const { execFileSync } = require('node:child_process')
const { readFileSync } = require('node:fs')
const { ENTRY, SLOW_MODEL } = process.env
const { loadModel } = require(ENTRY)

const hum = Float32Array.from({ length: 16_000 }, (_, i) => 0.3 * Math.sin(i / 7))
const size = () => Number(readFileSync('/proc/self/status', 'utf8').match(/VmSize:\s+(\d+)/)[1]) * 1024
const limit = (bytes) => execFileSync('prlimit', ['--pid', String(process.pid), `--as=${bytes}:unlimited`])

async function main() {
  const model = await loadModel(SLOW_MODEL, { backend: 'cpu', concurrency: 3 })
  const run = (beamSize) => model.transcribe(hum, { language: 'en', beamSize, temperature: 0, maxTokens: 3 })
  const outcomes = []
  for (const margin of process.argv.slice(2).map(Number)) {
    limit(size() + margin * 1024 * 1024)
    const settled = await Promise.allSettled([run(5), run(5), run(5)])
    limit('unlimited')
    outcomes.push([margin, settled.map(({ value, reason }) => value?.text ?? reason.code ?? String(reason))])
  }
  console.log(JSON.stringify([...outcomes, (await run(5)).text]))
  await model.dispose()
}

main()
