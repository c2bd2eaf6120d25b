// @ts-check
import { library } from './support/library.mjs'
import { least, printTable } from './support/table.mjs'

/**
 * Processor and wall time of speech detection, decoding of the file included, in milliseconds for each second of audio.
 * @param {Pick<import('./support/prepare.mjs').Subjects, 'recordings'>} subjects
 * @param {{ runs: number }} settings
 */
export async function measureVad({ recordings }, { runs }) {
  const { detectSpeech } = library()
  const rows = []
  for (const [length, recording] of Object.entries(recordings)) {
    await detectSpeech(recording)
    const wall = []
    const cpu = []
    let seconds = 0
    for (let run = 0; run < runs; run++) {
      const [begun, used] = [performance.now(), process.cpuUsage()]
      const { duration, segments } = await detectSpeech(recording)
      const { user, system } = process.cpuUsage(used)
      wall.push((performance.now() - begun) / duration)
      cpu.push((user + system) / 1000 / duration)
      seconds = segments.reduce((sum, { start, end }) => sum + end - start, 0)
    }
    rows.push([length, least(cpu).toFixed(2), least(wall).toFixed(2), seconds.toFixed(1)])
  }
  printTable(
    `Speech detection, ms for a second of audio, best of ${runs} runs`,
    ['', 'processor', 'wall', 'seconds of speech'],
    rows,
  )
}
