// @ts-check
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const load = createRequire(import.meta.url)

/**
 * @typedef {object} System what is configured and compiled
 * @property {string} directory of CMakeLists.txt
 * @property {string} out
 * @property {string} cmakePath
 * @property {string} generator
 * @property {string} cCompilerPath
 * @property {string} cppCompilerPath
 * @property {string} parallel number of jobs
 * @property {Record<string, string>} cMakeOptions definitions
 */

/**
 * cmake-js in a checkout. An installed package has CMake itself do the same: what cmake-js adds to it for an addon on Node-API is two folders
 * of headers, and it depends on 40 packages.
 * @param {System} system
 * @returns {{ configure: () => Promise<unknown>, build: () => Promise<unknown> }}
 */
export function cmakeSystem(system) {
  /** @type {string} */
  let path
  try {
    path = load.resolve('cmake-js')
  } catch {
    return plainCmake(system)
  }
  const { BuildSystem } = load(path)
  return new BuildSystem({ ...system, config: 'Release' })
}

/** @param {System} system */
function plainCmake(system) {
  const { out, cmakePath, parallel } = system
  return {
    configure: () => execute(cmakePath, configureArguments(system), out),
    build: () => execute(cmakePath, ['--build', out, '--config', 'Release', '--parallel', parallel], out),
  }
}

/** @param {System} system */
function configureArguments({ directory, out, generator, cCompilerPath, cppCompilerPath, cMakeOptions }) {
  const headers = [
    join(dirname(load.resolve('node-api-headers/package.json')), 'include'),
    dirname(load.resolve('node-addon-api/package.json')),
  ]
  const definitions = {
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_LIBRARY_OUTPUT_DIRECTORY: join(out, 'Release'),
    CMAKE_JS_INC: headers.join(';'),
    CMAKE_C_COMPILER: cCompilerPath,
    CMAKE_CXX_COMPILER: cppCompilerPath,
    CMAKE_CXX_FLAGS: '-DBUILDING_NODE_EXTENSION',
    ...cMakeOptions,
  }
  const flags = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`)
  return [directory, '--no-warn-unused-cli', '-G', generator, ...flags]
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 * @returns {Promise<void>}
 */
function execute(program, args, cwd) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd, stdio: 'inherit' })
    child.on('error', fail)
    child.on('exit', (code, signal) =>
      code === 0 ? done() : fail(new Error(`${program} ended with ${signal ?? code}`)),
    )
  })
}
