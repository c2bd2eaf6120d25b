import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { cachedBuildFolder } from '../../backend/installed.ts'
import { packageRoot, packageVersion } from '../../backend/package-root.ts'
import { onDisk } from '../../host/asar.ts'
import { guarded } from '../../host/guard.ts'
import { nodeProgram, notNodeError } from '../../host/node-program.ts'
import { buildSources } from '../build-sources.ts'
import type { CommandContext } from '../context.ts'

interface BuildFlags {
  hip?: true
  cpu?: true
  targets?: string
}

/** `whisper-hip build` */
export function buildCommand(context: CommandContext): Command {
  return new Command('build')
    .summary('compile the addon on this machine')
    .description(
      'Compiles the addon and its backend modules for this machine. What is up to date is not compiled again.\n' +
        'Without --hip or --cpu: with HIP where ROCm and an AMD GPU are found. The build is kept in the package,\n' +
        'or in the cache where this user cannot write to the package. npm fetches the sources where they are\n' +
        'not installed.',
    )
    .addOption(new Option('--hip', 'with the HIP module, or fail and say what is missing').conflicts('cpu'))
    .option('--cpu', 'without the HIP module')
    .option(
      '--targets <list>',
      'GPU architectures to compile for, e.g. gfx1100,gfx1201 or rdna3 (default: the GPUs here)',
    )
    .action(async (flags: BuildFlags) => {
      if ((await build(flags, context.signal)) !== 0) context.fail(1)
    })
}

/** The script says itself what went wrong. Its output is progress: standard output stays empty. */
async function build({ hip, cpu, targets }: BuildFlags, signal: AbortSignal): Promise<number | null> {
  const root = onDisk(packageRoot())
  const sources = await buildSources(root, signal)
  const script = join(sources, 'scripts', 'build.mjs')
  const node = nodeProgram()
  return new Promise((resolve, reject) => {
    if (node.problem !== null) throw notNodeError(node, 'to build in', node.problem)
    // A group of its own: the compilers end with the script.
    const child = spawn(node.path, [script, folderFor(root)], {
      cwd: sources,
      detached: true,
      stdio: ['ignore', 2, 2],
      env: {
        ...guarded(process.env, node.path),
        ELECTRON_RUN_AS_NODE: '1',
        ...(hip && { WHISPER_HIP_BUILD: 'hip' }),
        ...(cpu && { WHISPER_HIP_BUILD: 'cpu' }),
        ...(targets !== undefined && { WHISPER_HIP_TARGETS: targets }),
      },
    })
    const stop = () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM')
    }
    signal.addEventListener('abort', stop, { once: true })
    child.once('error', reject)
    child.once('exit', (code) => {
      signal.removeEventListener('abort', stop)
      if (signal.aborted) reject(signal.reason)
      else resolve(code)
    })
  })
}

/** Where the build is kept: in the package, so that it goes with it, else in the cache of this user. */
export function folderFor(root: string, isWritable = canWrite): string {
  const own = join(root, 'build')
  return isWritable(existsSync(own) ? own : root) ? own : cachedBuildFolder(packageVersion(root))
}

function canWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
