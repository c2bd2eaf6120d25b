/**
 * Terminates a worker in each phase, and checks that nothing is left of it in this process.
 * Prints one line of JSON for each phase: { phase, exitCode, milliseconds, counters }.
 */
const { join } = require('node:path')
const { Worker } = require('node:worker_threads')
const native = require(process.env.ADDON)

async function run(phase) {
  const worker = new Worker(join(__dirname, 'worker-phase.cjs'), { workerData: phase })
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  const since = performance.now()
  const exitCode = await worker.terminate()
  const milliseconds = performance.now() - since
  console.log(JSON.stringify({ phase, exitCode, milliseconds, counters: native.counters() }))
}

async function main() {
  for (const phase of process.argv.slice(2)) await run(phase)
}

main()
