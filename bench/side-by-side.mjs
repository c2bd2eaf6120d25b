// @ts-check
import { openSession } from './support/session.mjs'
import { least, median, printTable } from './support/table.mjs'

/**
 * Two jobs at once against the same two one after the other, on one model and on two.
 * @param {import('./support/prepare.mjs').Subjects} subjects
 * @param {{ runs: number, threads: number }} settings
 */
export async function measureSideBySide({ recordings }, { runs, threads }) {
  const session = openSession()
  await session.do({ type: 'load' })
  await session.do({ type: 'load' })
  const rows = []
  for (const [models, second] of [
    ['one model', 0],
    ['two models', 1],
  ]) {
    for (const beamSize of [5, 1]) {
      const options = { language: 'en', beamSize, threads }
      const jobs = [0, Number(second)].map((model) => ({ model, recording: recordings.minute, options }))
      const wall = { apart: /** @type {number[]} */ ([]), together: /** @type {number[]} */ ([]) }
      for (let run = 0; run < runs; run++) {
        wall.apart.push((await session.do({ type: 'run', jobs, together: false })).wall)
        wall.together.push((await session.do({ type: 'run', jobs, together: true })).wall)
      }
      rows.push([
        `${models}, ${beamSize === 1 ? 'greedy' : `beam ${beamSize}`}`,
        least(wall.apart).toFixed(2),
        least(wall.together).toFixed(2),
        (least(wall.together) / least(wall.apart)).toFixed(2),
        (median(wall.together) / median(wall.apart)).toFixed(2),
      ])
    }
  }
  session.close()
  printTable(
    `Two transcriptions of 1 minute, ${threads} threads, ${runs} runs`,
    ['', 'one after the other s', 'at once s', 'ratio of min', 'of median'],
    rows,
  )
}
