// @ts-check
import { pathToFileURL } from 'node:url'

/** A failure that its message explains; shown without a stack. */
export class BuildError extends Error {}

/** @param {string} line */
export const log = (line) => console.error(`whisper-hip: ${line}`)

/**
 * Whether a module is the program that node was started with, and not imported by another.
 * @param {string} url the module's `import.meta.url`
 */
export const isMain = (url) => url === pathToFileURL(process.argv[1] ?? '').href

/**
 * Runs a program's body. A failure is told on stderr and becomes exit code 1.
 * @param {() => Promise<unknown>} body
 */
export async function run(body) {
  try {
    await body()
  } catch (error) {
    log(
      error instanceof BuildError ? error.message : error instanceof Error ? `${error.stack}` : String(error),
    )
    process.exitCode = 1
  }
}
