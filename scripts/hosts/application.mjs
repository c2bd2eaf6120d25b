// @ts-check
/** The application that every host runs: it transcribes a recording, and tries what has to fail. */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { userEnvironment } from '../support/packed-app.mjs'
import { ARCHITECTURES, addonPackage } from '../support/release-packages.mjs'
import { NPM_INSTALL } from './host.mjs'

/** @typedef {import('./host.mjs').Host} Host */
/** @typedef {import('./host.mjs').Place} Place */

const WORDS = /ask not what your country can do for you/i
/** Of a recording and of a model that do not exist. A host with realms of its own may let other errors through. */
const CODES = ['ERR_AUDIO_DECODE', 'ERR_MODEL_NOT_FOUND']
const MINUTES = 5

const NAMES = '{ backendInfo, loadModel, WhisperHipError }'
const ANSWER = `async function answer() {
  const { AUDIO, MODEL, ANSWER } = process.env
  const model = await loadModel(MODEL, { backend: 'cpu' })
  const { text } = await model.transcribe(AUDIO, { language: 'en' })
  const { addon } = (await backendInfo()).libraries
  const failures = [() => model.transcribe('/nowhere/speech.wav'), () => loadModel('/nowhere/model.bin')]
  const codes = []
  for (const fails of failures) {
    try {
      codes.push(await fails())
    } catch (error) {
      codes.push(error instanceof WhisperHipError ? error.code : String(error))
    }
  }
  await model.dispose()
  writeFileSync(ANSWER, JSON.stringify({ text, addon, codes }))
}
`

/** A program in CommonJS that writes the answer. @param {string} library an expression that loads it */
export const commonJs = (library) => `const { writeFileSync } = require('node:fs')
const ${NAMES} = ${library}
${ANSWER}`

const FILES = {
  'answer.mjs': `import { writeFileSync } from 'node:fs'
import ${NAMES} from 'whisper-hip'
export ${ANSWER}`,
  'answer.cjs': `${commonJs("require('whisper-hip')")}module.exports = { answer }\n`,
  'program.mjs': "import { answer } from './answer.mjs'\nanswer()\n",
}

/** @param {Place} place @param {string} app a folder in it @param {Pick<Host, 'packages' | 'files'>} host */
export function makeApp({ folder }, app, { packages = {}, files = {} }) {
  const release = join(folder, 'release')
  /** @type {{ packages: { name: string, file: string }[] }} */
  const manifest = JSON.parse(readFileSync(join(release, 'manifest.json'), 'utf8'))
  /** @param {string} name */
  const file = (name) =>
    `file:${join(release, manifest.packages.find((packed) => packed.name === name)?.file ?? '')}`
  const addons = ARCHITECTURES.map(addonPackage).filter((name) =>
    manifest.packages.some((packed) => packed.name === name),
  )
  // The registry does not have them; each package manager has its own word for that.
  const instead = Object.fromEntries(addons.map((name) => [name, file(name)]))
  const written = {
    ...{ name: 'app', private: true, dependencies: { 'whisper-hip': file('whisper-hip'), ...packages } },
    ...{ overrides: instead, resolutions: instead, pnpm: { overrides: instead } },
  }
  const all = { 'package.json': JSON.stringify(written), 'yarn.lock': '', ...FILES, ...files }
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(app, path)), { recursive: true })
    writeFileSync(join(app, path), text)
  }
}

/**
 * @param {import('./host.mjs').Command} command
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} [more]
 * @returns {Promise<string>} what it printed
 */
export async function execute([program = '', ...args], cwd, more) {
  const options = {
    cwd,
    env: { ...userEnvironment, ...more },
    timeout: MINUTES * 60_000,
    maxBuffer: 64 * 1024 * 1024,
  }
  return (await promisify(execFile)(program, args, options)).stdout
}

/**
 * Installs the release in an application of its own, and runs that.
 * @param {Host} host
 * @param {Place} place
 * @param {string} app a folder in it that does not exist
 * @param {string} audio
 * @returns {Promise<{ name: string, version: string, outcome: string }>}
 */
export async function tryHost(host, place, app, audio) {
  const { name, packages = {}, install = ['npm', ...NPM_INSTALL], run } = host
  try {
    makeApp(place, app, host)
    const enter = (await host.enter?.(place)) ?? ((command) => command)
    const answer = join(app, 'answer.json')
    const env = { AUDIO: audio, MODEL: place.model, ANSWER: answer, NEXT_TELEMETRY_DISABLED: '1' }
    await execute(enter(install, app), app)
    for (const command of run) await execute(enter(command, app), app, env)
    const printed = host.version
      ? await execute(enter(host.version, app), app)
      : JSON.parse(
          readFileSync(join(app, 'node_modules', Object.keys(packages)[0] ?? '', 'package.json'), 'utf8'),
        ).version
    const version = /\d[\d.]*/.exec(printed)?.[0] ?? ''
    return { name, version, outcome: judge(JSON.parse(readFileSync(answer, 'utf8'))) }
  } catch (error) {
    const {
      stdout = '',
      stderr = '',
      message,
    } = /** @type {Error & { stdout?: string, stderr?: string }} */ (error)
    const lines = `${stderr}\n${stdout}`.split('\n')
    const line = lines.find((each) => /error/i.test(each)) ?? message.split('\n')[0]
    return { name, version: '', outcome: `fails: ${line?.trim().slice(0, 120)}` }
  }
}

/** @param {{ text: string, addon: string, codes: string[] }} answer @returns {string} the outcome */
export function judge({ text, addon, codes }) {
  if (!WORDS.test(text)) return `wrong words: ${text}`
  if (!addon.includes(`${process.platform}-${process.arch}`)) return `wrong addon: ${addon}`
  return String(codes) === String(CODES) ? 'transcribes' : `wrong errors: ${codes}`
}
