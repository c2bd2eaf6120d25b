// @ts-check
import { fileURLToPath } from 'node:url'
import { measureProgram } from './support/program.mjs'
import { openSession } from './support/session.mjs'
import { least, median, printTable } from './support/table.mjs'

const program = fileURLToPath(new URL('support/once.mjs', import.meta.url))

/**
 * Wall time, processor time, memory and text of this library and of whisper-cli, with the same weights and options. Every
 * round runs all of them, in turned order, so that what happens on the machine meanwhile happens to all.
 * @param {import('./support/prepare.mjs').Subjects} subjects
 * @param {{ runs: number, threads: number }} settings
 */
export async function measureSpeed({ cli, ggml, recordings, wordErrorRate }, { runs, threads }) {
  for (const [length, recording] of Object.entries(recordings)) {
    for (const beamSize of [5, 1]) {
      // A new one each time: it tells the most memory that it ever used.
      const session = openSession()
      await session.do({ type: 'load' })
      const options = { language: 'en', beamSize, threads }
      // whisper-cli conditions on the previous text unless the context is 0 tokens long; the library does not.
      const search = ['-bs', `${beamSize}`, '-bo', '5', '-mc', '0']
      const flags = ['-m', ggml, '-l', 'en', '-t', `${threads}`, ...search, '-np']
      const subjects = [
        {
          name: 'whisper-hip, new process',
          run: () => measureProgram(process.execPath, [program, recording, JSON.stringify(options)]),
        },
        {
          name: 'whisper-hip, model loaded',
          run: async () => {
            const { texts, ...used } = await session.do({
              type: 'run',
              together: false,
              jobs: [{ model: 0, recording, options }],
            })
            return { text: texts.join(), ...used }
          },
        },
        ...Object.entries(cli).map(([name, path]) => ({
          name: `whisper-cli, ${name}`,
          run: () => measureProgram(path, [...flags, '-f', recording]),
        })),
      ]
      const results = await interleave(subjects, runs)
      session.close()
      const title = `${length}, ${beamSize === 1 ? 'greedy' : `beam ${beamSize}`}, ${threads} threads, ${runs} runs`
      print(title, results, wordErrorRate)
    }
  }
}

/**
 * @typedef {{ text: string, wall: number, cpu: number, peak: number }} Measured
 * @param {{ name: string, run: () => Promise<Measured> }[]} subjects
 * @param {number} runs
 */
async function interleave(subjects, runs) {
  const results = subjects.map(({ name }) => ({ name, measured: /** @type {Measured[]} */ ([]) }))
  for (let round = 0; round < runs; round++) {
    for (let i = 0; i < subjects.length; i++) {
      const turn = (round + i) % subjects.length
      const measured = await subjects[turn]?.run()
      if (measured !== undefined) results[turn]?.measured.push(measured)
    }
  }
  return results
}

/**
 * @param {string} title
 * @param {Awaited<ReturnType<typeof interleave>>} results
 * @param {(reference: string, transcript: string) => number} wordErrorRate
 */
function print(title, results, wordErrorRate) {
  const walls = results.map(({ measured }) => measured.map(({ wall }) => wall))
  const theirs = { default: results[2], ours: results[3] }
  const head = [
    '',
    'wall s, min',
    'median',
    'of default cli',
    'of cli with our flags',
    'cpu s',
    'peak MB',
    'word differences',
  ]
  const rows = results.map(({ name, measured }, i) => {
    const own = walls[i] ?? []
    /** @param {number} other */
    const ratio = (other) => (least(own) / least(walls[other] ?? [])).toFixed(2)
    const difference = wordErrorRate(transcript(theirs.default), transcript({ measured }))
    return [
      name,
      least(own).toFixed(2),
      median(own).toFixed(2),
      ratio(2),
      ratio(3),
      least(measured.map(({ cpu }) => cpu)).toFixed(2),
      Math.round(least(measured.map(({ peak }) => peak)) / 1e6),
      `${(100 * difference).toFixed(1)} %`,
    ]
  })
  printTable(title, head, rows)
}

/**
 * The words of the last run; whisper-cli puts times before each line.
 * @param {{ measured: Measured[] } | undefined} result
 */
function transcript(result) {
  return (result?.measured.at(-1)?.text ?? '').replace(/^\[[\d:.]+ --> [\d:.]+\]/gm, '')
}
