#!/usr/bin/env node
// @ts-check
/**
 * Installs the packages of a release with each package manager, transcribes a recording with each program that runs JavaScript, and writes what
 * came of it into docs/host-matrix.md: `npm run release -- --dry-run`, then `node scripts/host-matrix.mjs`.
 *
 * The programs come from npm's registry. Needs a model: WHISPER_HIP_TEST_MODEL=PATH, or tiny.en in the cache.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packageRoot } from './support/package.mjs'
import { BuildError, isMain, log, run } from './support/script.mjs'

const AUDIO = join(packageRoot, 'vendor/whisper.cpp/bindings/go/samples/jfk.wav')
const WORDS = /ask not what your country can do for you/i
const MINUTES = 5

/**
 * @typedef {{ name: string, install: string[], run: string[], version: string[] }} Host `run` is followed by the program
 * @typedef {{ name: string, version: string, outcome: string }} Row
 */

/** @param {string} spec @param {string} name @param {...string} args of a program that a package brings */
const from = (spec, name, ...args) => ['npx', '--yes', `--package=${spec}`, '--', name, ...args]
const NPM = ['npm', 'install', '--no-audit', '--no-fund']
const yarn4 = (/** @type {string[]} */ ...args) => from('@yarnpkg/cli-dist@4', 'yarn', ...args)

/** @type {Host[]} */
const HOSTS = [
  ...['20', '22', '24', '26'].map((major) => ({
    name: `Node ${major}, npm`,
    install: NPM,
    run: from(`node@${major}`, 'node'),
    version: from(`node@${major}`, 'node', '--version'),
  })),
  {
    name: 'npm 12',
    install: from('npm@12', 'npm', ...NPM.slice(1)),
    run: ['node'],
    version: from('npm@12', 'npm', '--version'),
  },
  {
    name: 'pnpm 10',
    install: from('pnpm@10', 'pnpm', 'install'),
    run: ['node'],
    version: from('pnpm@10', 'pnpm', '--version'),
  },
  {
    name: 'Yarn 1',
    install: from('yarn@1', 'yarn', 'install'),
    run: ['node'],
    version: from('yarn@1', 'yarn', '--version'),
  },
  { name: "Yarn 4, Plug'n'Play", install: yarn4('install'), run: yarn4('node'), version: yarn4('--version') },
  {
    name: 'Bun',
    install: from('bun@1', 'bun', 'install'),
    run: from('bun@1', 'bun'),
    version: from('bun@1', 'bun', '--version'),
  },
  {
    name: 'Deno, packages by npm',
    install: NPM,
    run: from('deno@2', 'deno', 'run', '--allow-all'),
    version: from('deno@2', 'deno', '--version'),
  },
]

/** Runs in the application. */
const PROGRAM = `import { backendInfo, transcribe } from 'whisper-hip'
const [audio, model] = process.argv.slice(2)
const { text } = await transcribe(audio, { model, language: 'en', backend: 'cpu' })
console.log(JSON.stringify({ text, addon: (await backendInfo()).libraries.addon }))
`

/** @param {string[]} command @param {string} cwd */
async function execute([program = '', ...args], cwd) {
  // Nothing of the npm that may be running this script.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))
  const options = { cwd, env, timeout: MINUTES * 60_000, maxBuffer: 64 * 1024 * 1024 }
  return (await promisify(execFile)(program, args, options)).stdout
}

/** @param {string} app @param {string} release */
function makeApp(app, release) {
  /** @type {{ packages: { name: string, file: string }[] }} */
  const { packages } = JSON.parse(readFileSync(join(release, 'manifest.json'), 'utf8'))
  /** @param {string} name */
  const file = (name) => `file:${join(release, packages.find((packed) => packed.name === name)?.file ?? '')}`
  const addon = `@whisper-hip/${process.platform}-${process.arch}`
  // The registry does not have it; each package manager has its own word for that.
  const instead = { [addon]: file(addon) }
  const manifest = {
    ...{ name: 'app', private: true, type: 'module' },
    dependencies: { 'whisper-hip': file('whisper-hip') },
    ...{ overrides: instead, resolutions: instead, pnpm: { overrides: instead } },
  }
  mkdirSync(app)
  writeFileSync(join(app, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(app, 'program.mjs'), PROGRAM)
  writeFileSync(join(app, 'yarn.lock'), '')
}

/** @param {Host} host @param {string} app @param {string} model @returns {Promise<Row>} */
async function tryHost({ name, install, run, version }, app, model) {
  try {
    const shown =
      (await execute(version, app))
        .trim()
        .split('\n')
        .at(0)
        ?.replace(/^(deno |v)/, '')
        .split(' ')[0] ?? ''
    await execute(install, app)
    const { text, addon } = JSON.parse(
      (await execute([...run, 'program.mjs', AUDIO, model], app)).trim().split('\n').at(-1) ?? '',
    )
    const isRight = WORDS.test(text) && addon.includes('linux-x64')
    return { name, version: shown, outcome: isRight ? 'transcribes' : `wrong: ${text}` }
  } catch (error) {
    const { stderr = '', message } = /** @type {Error & { stderr?: string }} */ (error)
    const line = stderr.split('\n').find((each) => /error/i.test(each)) ?? message.split('\n')[0]
    return { name, version: '', outcome: `fails: ${line?.trim().slice(0, 120)}` }
  }
}

/** @param {Row[]} rows */
export function matrixPage(rows) {
  const lines = rows.map(
    ({ name, version, outcome }) => `| ${name} | ${version || '-'} | ${outcome.replaceAll('|', '\\|')} |`,
  )
  return `# Hosts that were tried

Written by \`node scripts/host-matrix.mjs\`, which installs the packages of a release in an empty application, without a compiler and without running scripts of
packages, and transcribes 11 seconds of speech on the CPU. [hosts.md](hosts.md) has the settings that some hosts need.

| host | version | outcome |
|---|---|---|
${lines.join('\n')}
`
}

function findModel() {
  if (process.env.WHISPER_HIP_TEST_MODEL) return process.env.WHISPER_HIP_TEST_MODEL
  const { downloadModel } = createRequire(import.meta.url)(packageRoot)
  return downloadModel('tiny.en', { offline: true })
}

if (isMain(import.meta.url))
  await run(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'whisper-hip-hosts-'))
    try {
      const model = await findModel()
      const release = join(folder, 'release')
      cpSync(join(packageRoot, 'release'), release, { recursive: true })
      /** @type {Row[]} */
      const rows = []
      for (const [index, host] of HOSTS.entries()) {
        const app = join(folder, `app${index}`)
        makeApp(app, release)
        rows.push(await tryHost(host, app, model))
        log(`${host.name}: ${rows.at(-1)?.outcome}`)
      }
      writeFileSync(join(packageRoot, 'docs/host-matrix.md'), matrixPage(rows))
      const failed = rows.filter(({ outcome }) => outcome !== 'transcribes')
      if (failed.length > 0) throw new BuildError(`${failed.length} of ${rows.length} hosts failed.`)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
