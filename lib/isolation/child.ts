/**
 * The program of the process that runs an isolated model, built as `dist/isolated-child.js`. It does what it is told over
 * the IPC channel, see protocol.ts, and ends with it.
 */
import { URL } from 'node:url'
import { addon } from '../backend/addon.ts'
import { applyPolicy } from '../backend/policy.ts'
import { rememberVerdict, shareVerdicts } from '../backend/probe/verdict-cache.ts'
import { distrustAfter } from '../backend/trust.ts'
import { redirectWarnings } from '../backend/warn.ts'
import { takeOutGuard } from '../host/guard.ts'
import { setLogger } from '../log.ts'
import { loadHere } from '../model/load.ts'
import type { LoadedModel } from '../model/loaded-model.ts'
import { openFileSource } from '../model/sources.ts'
import type { LoadProgress } from '../model/types.ts'
import type { NativeAudioSource, NativeByteStore, NativeTask } from '../native.ts'
import { packError } from './pack-error.ts'
import {
  type FromProcess,
  type LoadedInProcess,
  modelDescriptor,
  protocolVersion,
  type Request,
  type SentAudio,
  type ToProcess,
} from './protocol.ts'

interface Store {
  store: NativeByteStore
  error?: unknown
}

let model: LoadedModel | undefined
const stores = new Map<number, Store>()
const tasks = new Map<number, NativeTask<unknown>>()

function send(message: FromProcess): void {
  // There is nobody to tell when it fails: then the channel is closed, and this process ends.
  process.send?.(message, undefined, undefined, () => {})
}

async function perform(job: number, request: Request): Promise<void> {
  try {
    send({ type: 'done', job, value: await answer(job, request) })
  } catch (error) {
    distrustAfter(error)
    send({ type: 'failed', job, error: packError(error) })
  } finally {
    tasks.delete(job)
    stores.delete(job)
  }
}

async function answer(job: number, request: Request): Promise<unknown> {
  switch (request.type) {
    case 'ping':
      return undefined
    case 'decide':
      await applyPolicy(request.backend, request.device, {
        onTrial: (progress) => send({ type: 'trial', job, progress }),
      })
      return undefined
    case 'load':
      return load(job, request)
    case 'transcribe':
      return follow(
        job,
        loaded().native.transcribe(audioOf(job, request.audio), request.options, {
          onSegments: (segments) => send({ type: 'segments', job, segments }),
          onProgress: (progress) => send({ type: 'progress', job, progress }),
        }),
      )
    case 'hypothesize':
      return follow(job, loaded().native.hypothesize(audioOf(job, request.audio), request.options))
    case 'detectLanguage':
      return follow(
        job,
        loaded().native.detectLanguage(audioOf(job, request.audio), request.threads, request.network),
      )
  }
}

function follow(job: number, task: NativeTask<unknown>): Promise<unknown> {
  tasks.set(job, task)
  return task.result
}

function loaded(): LoadedModel {
  if (model === undefined) throw new Error('The process has no model')
  return model
}

async function load(
  job: number,
  { model: place, name, options }: Extract<Request, { type: 'load' }>,
): Promise<LoadedInProcess> {
  const onProgress = ({ stage, progress, gpu = '', step = '' }: LoadProgress) =>
    send(
      stage === 'trial'
        ? { type: 'trial', job, progress: { stage, progress, gpu, step } }
        : { type: 'progress', job, progress },
    )
  model = await loadHere(async () => ({ input: await open(place, name), name }), {
    ...options,
    isolation: 'none',
    onProgress,
  })
  const { native, info, backend, setup } = model
  const { device, weightBytes } = native
  return {
    info,
    backend,
    device,
    weightBytes,
    vocabularySize: setup.vocabularySize,
    vocabulary: setup.vocabulary,
    abilities: setup.abilities,
    maxThreads: setup.maxThreads,
  }
}

async function open(place: string | null, name: string) {
  if (place === null) return openFileSource(`/proc/self/fd/${modelDescriptor}`, name)
  return place.startsWith('file:') ? new URL(place) : place
}

/** Audio with its bytes, which came ahead. */
function audioOf(job: number, audio: SentAudio): NativeAudioSource {
  if (audio.kind === 'file') return audio
  const { store, error } = storeOf(job)
  if (error !== undefined) throw error
  return { ...audio, store }
}

function storeOf(job: number): Store {
  const store = stores.get(job) ?? { store: new (addon().native.ByteStore)() }
  stores.set(job, store)
  return store
}

/** Bytes for which there is no memory are the error of their job, when it comes. */
function append(job: number, bytes: Uint8Array): void {
  const into = storeOf(job)
  if (into.error !== undefined) return
  try {
    into.store.append(bytes, false)
  } catch (error) {
    into.error = error
  }
}

async function end(): Promise<void> {
  for (const task of tasks.values()) task.cancel()
  await model?.native.dispose()
  process.exit()
}

function receive(message: ToProcess): void {
  switch (message.type) {
    case 'bytes':
      append(message.job, message.bytes)
      break
    case 'cancel':
      stores.delete(message.job)
      tasks.get(message.job)?.cancel()
      break
    case 'listen':
      setLogger(message.on ? (entry) => send({ type: 'log', entry }) : null)
      break
    case 'verdicts':
      for (const verdict of message.known) rememberVerdict(...verdict)
      break
    case 'end':
      void end()
      break
    default:
      void perform(message.job, message)
  }
}

takeOutGuard()
send({ type: 'hello', token: process.argv[2] ?? '', protocol: protocolVersion })

process.on('message', receive)

// Nobody wants what it does any more, and nothing of it is worth saving: no work, hung or not, may hold it up.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

// A terminal and a service manager send these to the application and to this process. The application decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

shareVerdicts((name, outcome) => send({ type: 'verdict', name, outcome }))
redirectWarnings((warning) => send({ type: 'warning', warning }))
