/**
 * The main thread, which does not load the library itself, leaves while a worker is in a phase.
 *
 *     node main-leaves.cjs PHASE ACTION
 */
const { join } = require('node:path')
const { Worker } = require('node:worker_threads')

const [, , phase, action] = process.argv
const worker = new Worker(join(__dirname, 'worker-phase.cjs'), { workerData: phase })
worker.once('message', () => {
  process.stdout.write('now\n')
  if (action === 'exit') process.exit(7)
  if (action === 'throw') throw new Error('nobody catches this')
  if (action === 'terminate') worker.terminate()
})
