#!/usr/bin/env node
// @ts-check
/**
 * Makes the picture of the README, docs/terminal.svg, of what the program prints: `doctor` on a made machine with a Radeon and without the GPU
 * module, and captions of a recording, on the CPU of this machine. Needs `dist/`, a build, and the model base in the cache.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { importTypeScript } from './support/import-typescript.mjs'
import { packageRoot } from './support/package.mjs'
import { isMain, log, run } from './support/script.mjs'

const COLUMN = 8.4
const ROW = 18
const PADDING = 16
const COLUMNS = 84

/** @param {string} text */
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** What stands above lines that are indented. @param {string} text @param {string | undefined} next */
const isTitle = (text, next) => /^\S/.test(text) && (next?.startsWith('  ') ?? false)

/**
 * A terminal as SVG, without a script or a font of its own.
 * @param {{ command: string, output: string }[]} scenes
 * @returns {string}
 */
export function picture(scenes) {
  const lines = scenes.flatMap(({ command, output }, index) => [
    ...(index > 0 ? [{ kind: 'output', text: '' }] : []),
    { kind: 'command', text: `$ ${command}` },
    ...output
      .trimEnd()
      .split('\n')
      .map((text, at, all) => ({ kind: isTitle(text, all[at + 1]) ? 'title' : 'output', text })),
  ])
  const width = Math.ceil(COLUMNS * COLUMN + 2 * PADDING)
  const height = (lines.length + 1) * ROW + 2 * PADDING
  const rows = lines.map(({ kind, text }, index) => {
    const y = PADDING + ROW * (index + 2) - 5
    return text === '' ? '' : `  <text class="${kind}" x="${PADDING}" y="${y}">${escaped(text)}</text>\n`
  })
  const label = scenes.map(({ command }) => command).join(', then ')
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
  <title>A terminal: ${escaped(label)}</title>
  <style>
    text { font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre; fill: #d0d7de }
    .command { fill: #7ee787 } .title { fill: #ffffff; font-weight: 600 }
  </style>
  <rect width="100%" height="100%" rx="8" fill="#0d1117"/>
  <circle cx="20" cy="18" r="5" fill="#ff5f57"/><circle cx="38" cy="18" r="5" fill="#febc2e"/><circle cx="56" cy="18" r="5" fill="#28c840"/>
${rows.join('')}</svg>
`
}

/** @param {string[]} args @param {NodeJS.ProcessEnv} [env] */
function output(args, env) {
  try {
    return execFileSync(process.execPath, [join(packageRoot, 'dist/cli.js'), ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ...env, NO_COLOR: '1' },
    })
  } catch (error) {
    // doctor ends with 1 where there is something to do.
    return String(/** @type {{ stdout?: string }} */ (error).stdout ?? '')
  }
}

if (isMain(import.meta.url))
  await run(async () => {
    const { healthyMachine } = await importTypeScript(
      packageRoot,
      join(packageRoot, 'test/fixtures/sysroot.ts'),
    )
    const machine = healthyMachine()
    let doctor
    try {
      doctor = output(['doctor'], { WHISPER_HIP_SYSROOT: machine.folder })
    } finally {
      machine.dispose()
    }
    const recording = join(packageRoot, 'vendor/whisper.cpp/bindings/go/samples/jfk.wav')
    const captions = output([
      'transcribe',
      recording,
      '--backend',
      'cpu',
      '--language',
      'en',
      '--format',
      'srt',
      '--max-segment-length',
      '42',
    ])
    const scenes = [
      // The verdict, what to do and the cards; the rest is for reports.
      { command: 'npx whisper-hip doctor', output: doctor.split('\n\n').slice(0, 3).join('\n\n') },
      { command: 'npx whisper-hip speech.wav --format srt --max-segment-length 42', output: captions },
    ]
    const path = join(packageRoot, 'docs', 'terminal.svg')
    writeFileSync(path, picture(scenes))
    log(`wrote ${path}`)
  })
