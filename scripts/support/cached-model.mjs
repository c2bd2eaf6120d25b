// @ts-check
import { createRequire } from 'node:module'
import { packageRoot } from './package.mjs'
import { BuildError } from './script.mjs'

/**
 * Path of the model to try the library with: WHISPER_HIP_TEST_MODEL, or the first of these that is in the cache.
 * @param {...string} names
 * @returns {Promise<string>}
 */
export async function cachedModel(...names) {
  if (process.env.WHISPER_HIP_TEST_MODEL) return process.env.WHISPER_HIP_TEST_MODEL
  const { listModels } = createRequire(import.meta.url)(packageRoot)
  /** @type {{ name: string, path: string | null }[]} */
  const models = await listModels()
  const paths = names.map((name) => models.find((model) => model.name === name)?.path)
  const path = paths.find((each) => each)
  if (path) return path
  throw new BuildError(
    `The model ${names.join(' or ')} is not in the cache: run \`npm run demo\`, or set WHISPER_HIP_TEST_MODEL.`,
  )
}
