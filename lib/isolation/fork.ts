import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { packageRoot } from '../backend/package-root.ts'
import { unpinned } from '../backend/pinned.ts'
import { WhisperHipError } from '../errors.ts'
import { isOfArchive, notUnpacked, onDisk, unpackAllAdvice } from '../host/asar.ts'
import { guarded } from '../host/guard.ts'
import { type NodeProgram, nodeAdvice, notRunnable } from '../host/node-program.ts'
import { messageOf } from '../kinds.ts'
import { processNodeOptions } from './node-options.ts'
import { modelDescriptor } from './protocol.ts'

/**
 * Starts the program that runs a model, `dist/isolated-child.js`.
 * @param token that it repeats in its first message
 * @param descriptor an open file that becomes {@link modelDescriptor} there
 */
export function forkProgram(node: NodeProgram, token: string, descriptor: number | undefined): ChildProcess {
  const program = onDisk(join(packageRoot(), 'dist', 'isolated-child.js'), unpackAllAdvice)
  if (!existsSync(program)) {
    throw new WhisperHipError('ERR_NATIVE_MISSING', `The program of isolated models is missing: ${program}`, {
      advice: ['Install the package again, or build it: npm run build:lib'],
    })
  }
  if (isOfArchive(program)) checkDependencies(program)
  // While HIP starts in this process, it is shown one GPU; this model may want another.
  const env = guarded({ ...unpinned(process.env), ELECTRON_RUN_AS_NODE: '1' }, node.path)
  const nodeOptions = processNodeOptions(env.NODE_OPTIONS ?? '')
  if (nodeOptions === '') delete env.NODE_OPTIONS
  else env.NODE_OPTIONS = nodeOptions
  const stdio: ('ignore' | 'pipe' | 'ipc' | number)[] = ['ignore', 'pipe', 'pipe', 'ipc']
  if (descriptor !== undefined) stdio[modelDescriptor] = descriptor
  try {
    return fork(program, [token], {
      execPath: node.path,
      execArgv: [],
      serialization: 'advanced',
      stdio,
      env,
    })
  } catch (cause) {
    throw cannotStart(node, cause)
  }
}

/** Outside of an archive, the program finds the packages that it imports only where they were unpacked as well. */
function checkDependencies(program: string): void {
  const { resolve } = createRequire(program)
  for (const name of ['bindings', 'node-gyp-build', 'yauzl']) {
    try {
      resolve(name)
    } catch (cause) {
      throw notUnpacked(join(dirname(dirname(dirname(program))), name), unpackAllAdvice, cause)
    }
  }
}

/** The system refuses a process. */
export function cannotStart({ namedBy }: NodeProgram, cause: unknown): WhisperHipError {
  const code = (cause as NodeJS.ErrnoException).code
  const isAbsent = notRunnable(cause) !== null
  const what = messageOf(cause)
  const message = `A process for the model could not be started: ${what}`
  return new WhisperHipError(
    code === 'ENOMEM' ? 'ERR_OUT_OF_MEMORY' : isAbsent ? 'ERR_NODE_MISSING' : 'ERR_INTERNAL',
    isAbsent && namedBy !== null ? `${message}, which ${namedBy} names` : message,
    { cause, ...(isAbsent && { reason: 'HOST_NOT_NODE' }), advice: isAbsent ? nodeAdvice : adviceFor(code) },
  )
}

function adviceFor(code: string | undefined): string[] {
  switch (code) {
    case 'EAGAIN':
      return ['Allow more processes: ulimit -u, or pids.max of the container']
    case 'EMFILE':
    case 'ENFILE':
      return ['Allow more open files: ulimit -n']
    case 'ERR_ACCESS_DENIED':
      return ['Allow Node to start processes: --allow-child-process']
    default:
      return ["Load the model without { isolation: 'process' } where processes cannot be started"]
  }
}
