import { WhisperHipError } from '../errors.ts'
import { sameCommandsAbove } from './ancestors.ts'
import { isStartedAbove } from './guard.ts'

/** The program that is started as Node. */
export interface NodeProgram {
  path: string
  /** The option or the variable that names it; null for the program of this process. */
  namedBy: 'nodePath' | 'WHISPER_HIP_NODE' | null
  /** Whether it belongs to an application that has Node inside, and may start that application whatever its arguments are. */
  embedded: boolean
  /** Whether this process is a copy of the application, which was started in place of Node. */
  isCopy: boolean
  /** Why it must not be started, as what it is or did; null when nothing is known. */
  problem: string | null
}

/** What the choice depends on. */
export interface Host {
  execPath: string
  versions: Readonly<Record<string, string | undefined>>
  environment: NodeJS.ProcessEnv
  /** Whether the application is a single executable of Node. */
  isSea: boolean
  /** Whether it was packed by pkg. */
  isPacked: boolean
  /** How many of the processes above this one have its command line. */
  copiesAbove: number
}

/** Programs that turned out not to be Node in the life of this process, with what they did. */
const unmasked = new Map<string, string>()

/**
 * Which program is Node here: the one that the option names, else the one of `WHISPER_HIP_NODE`, else that of this process.
 * @param nodePath the option
 */
export function nodeProgram(nodePath?: string, host: Host = thisHost()): NodeProgram {
  const { execPath, versions, environment, isSea, isPacked } = host
  const variable = environment.WHISPER_HIP_NODE || undefined
  const path = nodePath ?? variable ?? execPath
  const namedBy = nodePath !== undefined ? 'nodePath' : variable !== undefined ? 'WHISPER_HIP_NODE' : null
  const isCopy = isStartedAbove(environment, path, host.copiesAbove)
  const single = isSea && (namedBy === null || path === execPath)
  const problem = isCopy
    ? 'it was started as Node, and started this application again'
    : single
      ? 'it is an application in a single executable'
      : (unmasked.get(path) ?? null)
  const embedded =
    namedBy === null && (isSea || isPacked || ['electron', 'bun', 'deno'].some((name) => name in versions))
  return { path, namedBy, embedded, isCopy, problem }
}

/** Remembers that a program is not Node: it is not started again by this process. */
export function unmask({ path }: NodeProgram, problem: string): void {
  unmasked.set(path, problem)
}

/** As the end of a sentence: which program is not Node, and why. */
export function notNode({ path, namedBy }: NodeProgram, problem: string): string {
  const subject =
    namedBy === null
      ? `the program of this process, ${path}, is not Node`
      : `${namedBy} names ${path}, which is not Node`
  return `${subject} (${problem})`
}

/** What to do where a program is not Node. */
export const nodeAdvice = [
  'Name the Node to use, version 20.19 or newer: export WHISPER_HIP_NODE=$(command -v node)',
  "Or name it in the application: loadModel(name, { nodePath: '/usr/bin/node' }) and backendInfo({ nodePath: '/usr/bin/node' })",
] as const

/** @param purpose e.g. `to run the model base in` */
export function notNodeError(program: NodeProgram, purpose: string, problem: string): WhisperHipError {
  return new WhisperHipError(
    'ERR_NODE_MISSING',
    `There is no Node ${purpose}: ${notNode(program, problem)}`,
    {
      reason: 'HOST_NOT_NODE',
      advice: nodeAdvice,
    },
  )
}

/** Why a program could not be run at all, by the code of the error; null for what is not its fault. */
export function notRunnable(error: unknown): string | null {
  const { code, message } = error as NodeJS.ErrnoException
  return ['ENOENT', 'EACCES', 'ENOTDIR', 'ENOEXEC', 'ELOOP'].includes(code ?? '')
    ? `it cannot be run: ${message}`
    : null
}

function thisHost(): Host {
  // Node has the module since 20.12 and names it nowhere in its types of Node 20.
  const sea = process.getBuiltinModule?.('node:sea' as 'sea') as { isSea?: () => boolean } | undefined
  return {
    execPath: process.execPath,
    versions: process.versions,
    environment: process.env,
    isSea: sea?.isSea?.() ?? false,
    isPacked: 'pkg' in process,
    copiesAbove: sameCommandsAbove(),
  }
}
