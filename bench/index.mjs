#!/usr/bin/env node
// @ts-check
/**
 * Measures the library beside whisper.cpp's own command line: the same base weights (f16), threads and options.
 *
 *   npm run bench -- [--runs 3] [--threads 2] [load] [speed] [event-loop] [side-by-side] [vad]
 *
 * Only ratios of one run on a quiet machine mean something; the load average is printed with them.
 */
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { BuildError, run } from '../scripts/support/script.mjs'
import { measureEventLoop } from './event-loop.mjs'
import { measureLoad } from './load.mjs'
import { measureSideBySide } from './side-by-side.mjs'
import { measureSpeed } from './speed.mjs'
import { library } from './support/library.mjs'
import { positive } from './support/options.mjs'
import { prepare } from './support/prepare.mjs'
import { measureVad } from './vad.mjs'

const measurements = {
  load: measureLoad,
  speed: measureSpeed,
  'event-loop': measureEventLoop,
  'side-by-side': measureSideBySide,
  vad: measureVad,
}

await run(async () => {
  const { values, positionals } = parseArgs({
    options: { runs: { type: 'string', default: '3' }, threads: { type: 'string', default: '2' } },
    allowPositionals: true,
  })
  const settings = { runs: positive('runs', values.runs), threads: positive('threads', values.threads) }
  const wanted = positionals.length > 0 ? positionals : Object.keys(measurements)
  for (const name of wanted)
    if (!(name in measurements))
      throw new BuildError(`Expected ${Object.keys(measurements).join(', ')} but received ${name}`)

  console.log(await library().backendInfo())
  const subjects = await prepare()
  const load = () =>
    loadavg()
      .map((value) => value.toFixed(2))
      .join(' ')
  console.log(`\n${cpus()[0]?.model}, ${cpus().length} processors, Node ${process.version}; load ${load()}`)
  for (const [name, measure] of Object.entries(measurements))
    if (wanted.includes(name)) await measure(subjects, settings)
  console.log(`\nload at the end: ${load()}`)
})
