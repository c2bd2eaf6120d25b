// @ts-check
import { closeSync, openSync, readdirSync, writeSync } from 'node:fs'

const SECONDS = 15

/**
 * Shows on the terminal how far a build is, when npm keeps the build's own output to itself: it does so for the install
 * scripts of dependencies. Does nothing where that output is seen, and where there is no terminal.
 * @template T
 * @param {string} folder of the build: its object files are counted
 * @param {NodeJS.ProcessEnv} env
 * @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
export async function withProgress(folder, env, task) {
  const terminal = isHidden(env) ? openTerminal() : null
  if (terminal === null) return task()
  const start = Date.now()
  const before = objectFiles(folder)
  const show = () => {
    const seconds = Math.round((Date.now() - start) / 1000)
    const files = objectFiles(folder) - before
    try {
      writeSync(
        terminal,
        `whisper-hip: compiling, ${files} files in ${seconds} s (npm install --foreground-scripts shows all)\n`,
      )
    } catch {
      clearInterval(timer) // the terminal was closed; the build goes on
    }
  }
  const timer = setInterval(show, SECONDS * 1000)
  try {
    return await task()
  } finally {
    clearInterval(timer)
    closeSync(terminal)
  }
}

/** @param {NodeJS.ProcessEnv} env */
const isHidden = (env) => Boolean(env.npm_lifecycle_event) && !process.stdout.isTTY && !process.stderr.isTTY

/** @returns {number | null} */
function openTerminal() {
  try {
    return openSync('/dev/tty', 'w')
  } catch {
    return null
  }
}

/** @param {string} folder */
function objectFiles(folder) {
  return readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith('.o')).length
}
