// @ts-check
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { BuildError } from '../../scripts/support/script.mjs'
import { requireToolchain } from '../../scripts/support/toolchain.mjs'

const source = fileURLToPath(new URL('limits.cpp', import.meta.url))
const start = promisify(execFile)

/**
 * @typedef {object} Limits what the processor does at most, per second; a multiply-add is two operations
 * @property {number} floats operations on floats
 * @property {string} floatInstructions
 * @property {number} bytes operations on bytes
 * @property {string} byteInstructions
 * @property {number} memory bytes read from memory
 */

/**
 * Compiles limits.cpp for this processor.
 * @param {string} folder for the program
 * @param {number} threads
 * @returns {Promise<() => Promise<Limits>>} measures, in about a second
 */
export async function limitsOf(folder, threads) {
  const program = join(folder, 'limits')
  const flags = ['-std=c++17', '-O3', '-march=native', '-pthread']
  try {
    await start(requireToolchain().cxx, [...flags, source, '-o', program])
  } catch (error) {
    throw new BuildError(`${source} was not compiled: ${error}`)
  }
  return async () => JSON.parse((await start(program, [`${threads}`])).stdout)
}

/**
 * Other programs can only make a measurement smaller.
 * @param {Limits} one
 * @param {Limits} other
 * @returns {Limits}
 */
export function greater(one, other) {
  return {
    ...one,
    floats: Math.max(one.floats, other.floats),
    bytes: Math.max(one.bytes, other.bytes),
    memory: Math.max(one.memory, other.memory),
  }
}
