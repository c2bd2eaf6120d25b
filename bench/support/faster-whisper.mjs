// @ts-check
/** faster-whisper in a process of its own. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { BuildError, log } from '../../scripts/support/script.mjs'
import { cacheFolder } from '../../scripts/test-material.mjs'

const VERSION = '1.2.1'

/** A Python that has faster-whisper. @returns {Promise<string>} */
export async function fasterWhisper() {
  const folder = join(cacheFolder(), 'bench', `faster-whisper-${VERSION}`)
  const path = join(folder, 'bin', 'python')
  if (!existsSync(join(folder, 'ready'))) {
    log(`installing faster-whisper ${VERSION} into ${folder}`)
    const start = promisify(execFile)
    await start('python3', ['-m', 'venv', '--clear', folder])
    await start(path, ['-m', 'pip', 'install', '--quiet', `faster-whisper==${VERSION}`])
    await start('touch', [join(folder, 'ready')])
  }
  return path
}

/**
 * @param {string} program
 * @param {string} folder of the model
 * @param {string} type that it computes in
 * @param {number} threads
 */
export async function openFasterWhisper(program, folder, type, threads) {
  const script = fileURLToPath(new URL('./faster-whisper-process.py', import.meta.url))
  const child = spawn(program, [script, folder, type, `${threads}`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)
  const gone = once(child, 'exit').then(([code]) =>
    Promise.reject(new BuildError(`faster-whisper ended with ${code}`)),
  )
  gone.catch(() => {})
  const next = async () => JSON.parse((await Promise.race([once(lines, 'line'), gone]))[0])
  return {
    .../** @type {{ load: number, type: string }} */ (await next()),
    /**
     * @param {string} recording
     * @param {{ beam?: number, batch?: number }} [options] `batch`: pieces at once, 0 = one after the other
     * @returns {Promise<{ text: string, wall: number, peak: number }>}
     */
    do(recording, { beam = 5, batch = 0 } = {}) {
      child.stdin.write(`${JSON.stringify({ recording, beam, batch })}\n`)
      return next()
    },
    close: () => child.stdin.end(),
  }
}
