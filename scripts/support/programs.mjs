// @ts-check
/** Other programs, and what they leave behind. */
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { BuildError } from './script.mjs'

const TIMEOUT = 300_000

/**
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 * @param {Record<string, string>} [environment] beside that of this process
 */
export function start(program, args, cwd, environment) {
  const env = { ...process.env, ...environment }
  return promisify(execFile)(program, args, { cwd, env, timeout: TIMEOUT, maxBuffer: 16 * 1024 * 1024 })
}

/** @param {unknown} error */
export const isMissing = (error) => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** @param {unknown} error */
export function lastLines(error) {
  const { stderr, message } = /** @type {Error & { stderr?: string }} */ (error)
  return (stderr?.trim() || message).split('\n').slice(-4).join(' | ')
}

/** @param {string} folder @param {string} ending */
export async function fileWith(folder, ending) {
  const name = (await readdir(folder)).find((candidate) => candidate.endsWith(ending))
  if (name === undefined) throw new BuildError(`The download reported success but left no ${ending} file`)
  return name
}
