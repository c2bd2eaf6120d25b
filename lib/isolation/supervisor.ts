import type { FileHandle } from 'node:fs/promises'
import { WhisperHipError } from '../errors.ts'
import { nodeProgram } from '../host/node-program.ts'
import { log } from '../log.ts'
import type { NativeTask } from '../native.ts'
import type { SentBytes } from './memory-store.ts'
import { ModelProcess } from './model-process.ts'
import { cancelled, disposed } from './pending-job.ts'
import type { JobEvents, LoadedInProcess, ProcessLoadOptions, Request } from './protocol.ts'

/** How to load a model in a process, as often as it takes. */
export interface Recipe {
  /** An absolute path or the text of a file URL; `null` for the file of the {@link Supervisor}. */
  model: string | null
  name: string
  options: ProcessLoadOptions
}

/**
 * Sees to it that a model has a process: the first one, and another when a job comes after the last one has died.
 * It never starts a job twice.
 */
export class Supervisor {
  readonly #file: FileHandle | undefined
  readonly #nodePath: string | undefined
  readonly #processes = new Set<ModelProcess>()
  #name: string
  #recipe: Recipe | undefined
  #first: LoadedInProcess | undefined
  #current: ModelProcess | undefined
  #restarting: Promise<ModelProcess> | undefined
  #disposed: Promise<void> | undefined

  /**
   * @param name of the model, as far as it is known
   * @param file with the model, closed by {@link dispose}
   * @param nodePath the option
   * @throws {@link WhisperHipError} when no process can be started
   */
  constructor(name: string, file: FileHandle | undefined, nodePath: string | undefined) {
    this.#name = name
    this.#nodePath = nodePath
    this.#file = file
    this.#current = this.#start()
  }

  /** Asks the first process whether it would take the model. */
  async decide(
    { backend, device }: Pick<ProcessLoadOptions, 'backend' | 'device'>,
    events: JobEvents,
  ): Promise<void> {
    await this.#current?.run({ type: 'decide', backend, device }, events).result
  }

  /** Loads the model in the first process. */
  async load(recipe: Recipe, events: JobEvents): Promise<LoadedInProcess> {
    this.#name = recipe.name
    this.#recipe = recipe
    const process = this.#current as ModelProcess
    this.#first = await process.run<LoadedInProcess>({ type: 'load', ...recipe }, events).result
    return this.#first
  }

  run<T>(request: Request, events: JobEvents, store: SentBytes | undefined): NativeTask<T> {
    let task: NativeTask<T> | undefined
    let giveUp: () => void = () => {}
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = () => reject(cancelled())
    })
    const begin = async () => {
      const process = await Promise.race([this.#ready(), givenUp])
      task = process.run<T>(request, events, store)
      return task.result
    }
    return { result: begin(), cancel: () => (task === undefined ? giveUp() : task.cancel()) }
  }

  /** Ends what runs, and frees everything. Resolves when that is done. */
  dispose(): Promise<void> {
    this.#disposed ??= (async () => {
      await Promise.all([...this.#processes].map((process) => process.end()))
      await this.#file?.close()
    })()
    return this.#disposed
  }

  #start(): ModelProcess {
    const process = new ModelProcess(this.#name, nodeProgram(this.#nodePath), this.#file?.fd)
    this.#processes.add(process)
    void process.ended.then(() => this.#processes.delete(process))
    return process
  }

  async #ready(): Promise<ModelProcess> {
    for (;;) {
      if (this.#disposed !== undefined) throw disposed(this.#name)
      const current = this.#current
      if (!current?.running) return this.#restarted()
      if (await current.answers()) return current
    }
  }

  async #restarted(): Promise<ModelProcess> {
    this.#restarting ??= this.#restart().finally(() => {
      this.#restarting = undefined
    })
    try {
      return await this.#restarting
    } catch (error) {
      throw ownError(error)
    }
  }

  async #restart(): Promise<ModelProcess> {
    log('info', `The model ${this.#name} is loaded again, in a new process`)
    const process = this.#start()
    try {
      const recipe = this.#recipe as Recipe
      const first = this.#first as LoadedInProcess
      // What the model runs on was decided when it was loaded first.
      const options = { ...recipe.options, backend: first.backend.active }
      const { result } = process.run<LoadedInProcess>({ type: 'load', ...recipe, options })
      requireSame(first, await result)
    } catch (error) {
      await process.end()
      throw error
    }
    this.#current = process
    return process
  }
}

/** Several jobs can wait for one process. Each gets an error of its own, which is given the stack of its caller. */
function ownError(error: unknown): unknown {
  if (!(error instanceof WhisperHipError)) return error
  const { code, message, reason, advice, cause } = error
  return new WhisperHipError(code, message, { ...(reason !== undefined && { reason }), advice, cause })
}

/** What `model.info` promises has to hold for what is loaded again. */
function requireSame(first: LoadedInProcess, now: LoadedInProcess): void {
  if (JSON.stringify([now.info, now.vocabularySize]) !== JSON.stringify([first.info, first.vocabularySize])) {
    throw new WhisperHipError(
      'ERR_MODEL_NOT_FOUND',
      `The model ${first.info.name} is not the one that was loaded: its file has been replaced`,
      { advice: ['Load the model again'] },
    )
  }
}
