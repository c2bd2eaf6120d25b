// @ts-check
/**
 * A process that keeps the library: started by {@link openSession}, it does what it is told by messages. The numbers of one
 * measurement do not disturb those of another this way, and the process that measures does nothing else meanwhile.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isMain } from '../../scripts/support/script.mjs'
import { library } from './library.mjs'

/**
 * @typedef {import('../../lib/index.ts').TranscribeOptions} TranscribeOptions
 * @typedef {{ model: number, recording: string, options: TranscribeOptions }} Job `model`: which of the loaded ones
 * @typedef {object} Outcome
 * @property {string[]} texts
 * @property {number} wall seconds
 * @property {number} cpu seconds of all threads
 * @property {number} gap largest time between two turns of the event loop in milliseconds
 * @property {number} peak bytes of memory since the process began
 * @typedef {{ type: 'load', weightType?: import('../../lib/index.ts').WeightType } | { type: 'run', jobs: Job[], together: boolean } | { type: 'idle', seconds: number }} Task
 */

/** Starts a session. Close it when done. */
export function openSession() {
  const child = fork(fileURLToPath(import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const gone = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`The session ended with ${code}`)),
  )
  gone.catch(() => {})
  return {
    /** @param {Task} task @returns {Promise<Outcome>} */
    async do(task) {
      child.send(task)
      const [answer] = await Promise.race([once(child, 'message'), gone])
      if ('error' in answer) throw new Error(answer.error)
      return answer
    },
    close: () => child.disconnect(),
  }
}

/** @type {import('../../lib/index.ts').Model[]} */
const models = []

/** @param {Task} task @returns {Promise<string[]>} */
async function perform(task) {
  if (task.type === 'idle') {
    await new Promise((resolve) => setTimeout(resolve, 1000 * task.seconds))
    return []
  }
  if (task.type === 'load') {
    const { weightType = 'auto' } = task
    models.push(await library().loadModel('base', { backend: 'cpu', weightType }))
    return []
  }
  /** @param {Job} job */
  const run = async ({ model, recording, options }) =>
    (await models[model]?.transcribe(recording, options))?.text ?? ''
  if (task.together) return Promise.all(task.jobs.map(run))
  const texts = []
  for (const job of task.jobs) texts.push(await run(job))
  return texts
}

/** @param {Task} task @returns {Promise<Outcome>} */
async function measure(task) {
  let gap = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    gap = Math.max(gap, now - last)
    last = now
  }, 10)
  const begun = performance.now()
  const before = process.cpuUsage()
  try {
    const texts = await perform(task)
    const { user, system } = process.cpuUsage(before)
    const wall = (performance.now() - begun) / 1000
    return { texts, wall, cpu: (user + system) / 1e6, gap, peak: process.resourceUsage().maxRSS * 1024 }
  } finally {
    clearInterval(timer)
  }
}

if (isMain(import.meta.url)) {
  // Before anything is measured: Node reads modules without giving the event loop a turn.
  library()
  process.on('message', async (task) => {
    const answer = await measure(/** @type {Task} */ (task)).catch((error) => ({
      error: String(error?.stack),
    }))
    process.send?.(answer)
  })
}
