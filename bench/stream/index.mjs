#!/usr/bin/env node
// @ts-check
/**
 * Measures live transcription: recordings arrive in pieces of 100 ms by a virtual clock that charges the real time of computing.
 *
 *   node bench/stream/index.mjs [--model base] [--policy agreement] [--frame-threshold 25] [--step 0.8] [--backend auto]
 *     [--charge wall] [--verbose] [RECORDING … --text TEXTFILE …]
 *
 * --charge processor charges the processor time of computing, divided by the processors, instead of the time by the clock: for a CPU that has other
 * things to do, too. Without recordings: those of the tests, which have texts. Needs ffmpeg and a build. Only figures of a quiet machine mean something.
 */
import { readFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { run } from '../../scripts/support/script.mjs'
import { material, materialText } from '../../scripts/test-material.mjs'
import { library } from '../support/library.mjs'
import { importSources } from '../support/prepare.mjs'
import { pcmOf, RECORDINGS } from '../support/recordings.mjs'
import { printTable } from '../support/table.mjs'
import { clockFor, feed } from './feed.mjs'
import { measure, quantile } from './measure.mjs'

/** @param {readonly number[]} values */
const halfAndMost = (values) => `${quantile(values, 0.5).toFixed(2)} / ${quantile(values, 0.95).toFixed(2)}`
/** @param {number} rate */
const percent = (rate) => (100 * rate).toFixed(1)

await run(async () => {
  const { values, positionals } = parseArgs({
    options: {
      model: { type: 'string', default: 'base' },
      policy: { type: 'string', default: 'agreement' },
      'frame-threshold': { type: 'string' },
      step: { type: 'string', default: '0.8' },
      backend: { type: 'string', default: 'auto' },
      language: { type: 'string', default: 'en' },
      text: { type: 'string', multiple: true, default: [] },
      charge: { type: 'string', default: 'wall' },
      verbose: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const { wordErrorRate, wordsOf } = await importSources()
  const { loadModel, backendInfo } = library()
  console.log(await backendInfo())
  console.log(`${cpus()[0]?.model}, ${cpus().length} processors; load ${loadavg()[0]?.toFixed(2)}`)
  const own = positionals.map(async (path, i) => ({
    name: basename(path),
    path,
    text: values.text[i] === undefined ? undefined : await readFile(values.text[i], 'utf8'),
  }))
  const known = RECORDINGS.map(async (name) => ({
    name,
    path: await material(name),
    text: await materialText(name),
  }))
  const subjects = await Promise.all(positionals.length > 0 ? own : known)

  const { language, 'frame-threshold': frames } = values
  const model = await loadModel(values.model, { backend: /** @type {'auto'} */ (values.backend) })
  const rows = []
  const all = {
    words: 0,
    live: 0,
    offline: 0,
    commit: /** @type {number[]} */ ([]),
    final: /** @type {number[]} */ ([]),
  }
  for (const { name, path, text } of subjects) {
    const pcm = await pcmOf(path)
    const offline = (await model.transcribe(path, { language })).text
    const live = model.stream({
      policy: /** @type {'agreement'} */ (values.policy),
      step: Number(values.step),
      ...(frames !== undefined && { frameThreshold: Number(frames) }),
      language,
    })
    const before = process.memoryUsage.rss()
    /** @type {import('./feed.mjs').Timed[]} */
    const events = []
    await feed(live, [pcm], (heard) => events.push(heard), clockFor(values.charge))
    const grown = (process.memoryUsage.rss() - before) / 1e6
    const found = measure(events)
    if (values.verbose)
      console.log(`\n${name}\n  reference ${text}\n  offline   ${offline}\n  live      ${found.text}`)
    const reference = text ?? offline
    const [liveRate, offlineRate] = [wordErrorRate(reference, found.text), wordErrorRate(reference, offline)]
    const words = wordsOf(reference).length
    all.words += words
    all.live += liveRate * words
    all.offline += offlineRate * words
    all.commit.push(...found.commitDelays)
    all.final.push(...found.finalDelays)
    rows.push([
      name,
      (pcm.length / 32_000).toFixed(0),
      percent(liveRate),
      percent(offlineRate),
      percent(wordErrorRate(offline, found.text)),
      found.firstPartial.toFixed(2),
      halfAndMost(found.commitDelays),
      halfAndMost(found.finalDelays),
      halfAndMost(found.lags),
      found.retracted,
      found.realTimeFactor.toFixed(1),
      grown.toFixed(0),
    ])
  }
  rows.push([
    'all',
    '',
    percent(all.live / all.words),
    percent(all.offline / all.words),
    '',
    '',
    halfAndMost(all.commit),
    halfAndMost(all.final),
    '',
    '',
    '',
    '',
  ])
  printTable(
    `Live transcription, ${values.policy}, step ${values.step} s; delays in s, median / 95th percentile`,
    [
      '',
      's',
      'live WER %',
      'offline WER %',
      'live against offline %',
      'first partial',
      'commit delay',
      'final delay',
      'lag',
      'retracted',
      'real-time factor',
      'grown MB',
    ],
    rows,
  )
  await model.dispose()
})
