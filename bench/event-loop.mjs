// @ts-check
import { openSession } from './support/session.mjs'
import { printTable } from './support/table.mjs'

/**
 * The largest time between two runs of a 10 ms timer in the process that loads and transcribes.
 * @param {import('./support/prepare.mjs').Subjects} subjects
 * @param {{ runs: number, threads: number }} settings
 */
export async function measureEventLoop({ recordings }, { runs, threads }) {
  /** @type {Record<'idle' | 'loading' | 'transcribing', number[]>} */
  const gaps = { idle: [], loading: [], transcribing: [] }
  const job = { model: 0, recording: recordings.minute, options: { language: 'en', threads } }
  for (let run = 0; run < runs; run++) {
    const session = openSession()
    gaps.idle.push((await session.do({ type: 'idle', seconds: 2 })).gap)
    gaps.loading.push((await session.do({ type: 'load' })).gap)
    gaps.transcribing.push((await session.do({ type: 'run', jobs: [job], together: false })).gap)
    session.close()
  }
  const rows = Object.entries(gaps).map(([phase, values]) => [phase, ...values.map((gap) => gap.toFixed(1))])
  printTable(
    'Largest gap of the event loop in ms (10 ms timer)',
    ['', ...gaps.idle.map((_, i) => `run ${i + 1}`)],
    rows,
  )
}
