#!/usr/bin/env node
import { spawnSync } from 'node:child_process'
// @ts-check
/**
 * The demonstration of a checkout: builds what is missing, obtains the base model, transcribes a recording, and says what
 * did the work. Results go to stdout; progress goes to stderr, and only where it is a terminal.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageRoot } from './support/package.mjs'
import { BuildError, log, run } from './support/script.mjs'
import { vendorAll } from './vendor.mjs'

const recording = join(packageRoot, 'vendor', 'whisper.cpp', 'bindings', 'go', 'samples', 'jfk.wav')

/** Everything that `npm install` would have done, when it has not. */
async function prepare() {
  await vendorAll(join(packageRoot, 'vendor'), log)
  if (!existsSync(join(packageRoot, 'dist', 'index.js'))) npm('run', 'build:lib')
  const { build } = await import('./build.mjs')
  await build({ root: packageRoot, out: join(packageRoot, 'build'), tell: log })
}

/** @param {string[]} args */
function npm(...args) {
  const { status } = spawnSync('npm', args, { cwd: packageRoot, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new BuildError(`npm ${args.join(' ')} failed; its output is above`)
}

/** @param {string} label @param {number} progress 0..1 */
function bar(label, progress) {
  if (!process.stderr.isTTY) return
  const width = 30
  const full = Math.round(progress * width)
  const line = `${label} [${'#'.repeat(full)}${'-'.repeat(width - full)}] ${Math.round(progress * 100)} %`
  process.stderr.write(`\r${line}${progress >= 1 ? '\n' : ''}`)
}

/** @param {number} seconds */
const time = (seconds) => `${seconds.toFixed(2).padStart(6)} s`

async function demo() {
  await prepare()
  /** @type {typeof import('../lib/index.ts')} */
  const { backendInfo, loadModel } = createRequire(import.meta.url)(join(packageRoot, 'dist', 'index.js'))

  const info = await backendInfo()
  const begun = performance.now()
  const model = await loadModel('base', {
    // The report below says what a warning would.
    backend: info.active === 'hip' ? 'hip' : 'cpu',
    onProgress: ({ stage, progress }) =>
      bar(stage === 'download' ? 'Downloading base' : 'Loading base    ', progress),
  })
  const loadSeconds = (performance.now() - begun) / 1000
  console.log(
    `Model     ${model.info.name}: ${(model.info.parameters / 1e6).toFixed(0)} million weights as ${model.info.weightType}, ready after ${loadSeconds.toFixed(1)} s`,
  )
  console.log(`Recording ${recording.slice(packageRoot.length + 1)}\n`)

  const transcription = model.transcribe(recording, { language: 'en' })
  for await (const segment of transcription) {
    console.log(`${time(segment.start)} … ${time(segment.end)} ${segment.text}`)
  }
  const { stats } = await transcription
  await model.dispose()

  console.log(
    `\nBackend   ${stats.backend === 'hip' ? `the GPU ${stats.device}` : 'this machine runs on the CPU'}`,
  )
  console.log(`Reason    ${info.reason}: ${info.message}`)
  for (const advice of info.advice) console.log(`Advice    ${advice}`)
  console.log(`Proof     ${stats.gpuNodes} graph nodes ran on the GPU, ${stats.cpuNodes} on the CPU`)
  console.log(
    `Speed     ${stats.audioSeconds.toFixed(1)} s of audio in ${stats.wallSeconds.toFixed(2)} s, ${stats.realTimeFactor.toFixed(1)} times as fast as the speech`,
  )
}

await run(demo)
