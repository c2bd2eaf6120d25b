import { captureCaller, toLibraryError } from './backend/native-error.ts'
import { guardCallback } from './guard-callback.ts'
import { loadIsolated } from './isolation/load-isolated.ts'
import { loadHere } from './model/load.ts'
import { type ParsedLoadOptions, parseLoadOptions } from './model/load-options.ts'
import type { LoadedModel } from './model/loaded-model.ts'
import { locateModel } from './model/locate.ts'
import type { LoadOptions, LoadProgress, ModelInput } from './model/types.ts'
import { Model } from './model.ts'

/**
 * Loads a model, given by catalogue name (downloaded once into the cache), path of a file or checkpoint folder, repository on the Hugging
 * Face hub, URL, or bytes.
 *
 * @throws {@link WhisperHipError} `ERR_MODEL_NOT_FOUND`, `ERR_MODEL_FORMAT`, `ERR_MODEL_CORRUPT`, `ERR_MODEL_UNSUPPORTED`, `ERR_DOWNLOAD`,
 *   `ERR_BACKEND_UNAVAILABLE`, `ERR_OUT_OF_MEMORY`, `ERR_NATIVE_MISSING`, `ERR_INVALID_ARGUMENT`; or `signal.reason`
 */
export async function loadModel(input: ModelInput, options: LoadOptions = {}): Promise<Model> {
  const caller = captureCaller(loadModel)
  try {
    const given = parseLoadOptions(options)
    const told = guardCallback<LoadProgress>(given.onProgress, given.signal)
    const model = new Model(await load(input, { ...given, onProgress: told.call, signal: told.signal }))
    await told.end().catch(async (failure) => {
      await model.dispose()
      throw failure
    })
    return model
  } catch (error) {
    throw toLibraryError(error, caller)
  }
}

async function load(input: ModelInput, options: ParsedLoadOptions): Promise<LoadedModel> {
  options.signal?.throwIfAborted()
  return options.isolation === 'process'
    ? loadIsolated(input, options)
    : loadHere(() => locateModel(input, options), options)
}
