import type { FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import { types } from 'node:util'
import { guardCallback } from '../guard-callback.ts'
import { isUrl } from '../kinds.ts'
import type { LoadedModel } from '../model/loaded-model.ts'
import { locateModel } from '../model/locate.ts'
import type { LoadOptions, LoadProgress, ModelInput } from '../model/types.ts'
import { IsolatedModel } from './isolated-model.ts'
import { MemoryStore } from './memory-store.ts'
import type { ProcessLoadOptions } from './protocol.ts'
import { spoolModel } from './spool-model.ts'
import { Supervisor } from './supervisor.ts'

type Options = Omit<ProcessLoadOptions, 'allowPartial'> &
  Pick<
    LoadOptions,
    'allowPartial' | 'maxStreams' | 'nodePath' | 'offline' | 'sha256' | 'onProgress' | 'signal'
  >

/**
 * Loads a model in a process of its own. Names and URLs are resolved, downloads made here; everything that touches a GPU or
 * parses weights happens there.
 */
export async function loadIsolated(input: ModelInput, options: Options): Promise<LoadedModel> {
  const file = types.isUint8Array(input) ? await spoolModel(input, options.signal) : undefined
  const supervisor = await startSupervisor(input, file, options.nodePath)
  try {
    return await loadIn(supervisor, input, options)
  } catch (error) {
    await supervisor.dispose()
    options.signal?.throwIfAborted()
    throw error
  }
}

async function startSupervisor(
  input: ModelInput,
  file: FileHandle | undefined,
  nodePath: string | undefined,
): Promise<Supervisor> {
  try {
    return new Supervisor(file === undefined ? String(input) : '<bytes>', file, nodePath)
  } catch (error) {
    await file?.close()
    throw error
  }
}

async function loadIn(supervisor: Supervisor, input: ModelInput, options: Options): Promise<LoadedModel> {
  const {
    backend,
    device,
    allowPartial,
    concurrency,
    maxStreams,
    flashAttention,
    weightType,
    signal,
    onProgress,
  } = options
  const interrupt = () => void supervisor.dispose()
  const told = guardCallback<LoadProgress>(onProgress, signal)
  told.signal.addEventListener('abort', interrupt, { once: true })
  try {
    told.signal.throwIfAborted()
    if (backend === 'hip') await supervisor.decide(options, { onTrial: told.call })
    const located = await locateModel(input, options)
    const recipe = {
      model: modelFor(located.input),
      name: located.name,
      options: {
        backend,
        ...(device !== undefined && { device }),
        allowPartial: allowPartial ?? backend !== 'hip',
        concurrency,
        flashAttention,
        weightType,
      },
    }
    const loaded = await supervisor.load(recipe, {
      onTrial: told.call,
      onProgress: (progress) => told.call({ stage: 'load', progress }),
    })
    // What the callback threw while the last answer was on its way.
    told.signal.throwIfAborted()
    const { info, maxThreads, vocabularySize, vocabulary, abilities } = loaded
    return {
      native: new IsolatedModel(supervisor, loaded),
      info,
      backend: loaded.backend,
      setup: {
        vocabularySize,
        vocabulary,
        abilities,
        maxThreads,
        concurrency,
        maxStreams,
        stores: { ByteStore: MemoryStore },
      },
    }
  } catch (error) {
    told.signal.throwIfAborted()
    throw error
  } finally {
    told.signal.removeEventListener('abort', interrupt)
  }
}

/** The process may outlive a change of the working directory. */
function modelFor(input: string | URL | Uint8Array): string | null {
  if (types.isUint8Array(input)) return null
  if (isUrl(input)) return input.href
  return input === '' ? input : resolve(input)
}
