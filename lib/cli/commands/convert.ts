import { existsSync } from 'node:fs'
import { Command, Option } from 'commander'
import { type ConvertOptions, convertModel } from '../../index.ts'
import { weightTypeNames } from '../../model/conversions.ts'
import type { CommandContext } from '../context.ts'
import { UsageError } from '../failures.ts'
import { Progress } from '../progress.ts'

interface Flags {
  output: string
  type: NonNullable<ConvertOptions['weightType']>
  verify?: true
  force?: true
  name?: string
  license?: string
}

const STAGES = { hash: 'reading', write: 'writing', verify: 'comparing' } as const

/** `whisper-hip convert` */
export function convertCommand(context: CommandContext): Command {
  return new Command('convert')
    .summary('convert a model to GGUF, or to the format of whisper.cpp')
    .description(
      'Converts a model of any readable format into one file: GGUF for a name in .gguf, the format of whisper.cpp for a name in .bin.',
    )
    .argument('<source>', 'a file, a checkpoint folder, or a name of the catalogue')
    .requiredOption('-o, --output <file>', 'the new file, in .gguf or .bin')
    .addOption(
      new Option('--type <type>', 'type of the weights; auto: as they would be in memory')
        .choices(['auto', ...weightTypeNames])
        .default('auto'),
    )
    .option('--verify', 'read the new file again and compare every tensor')
    .option('--force', 'replace a file that is there')
    .option('--name <text>', 'name of the model (GGUF)')
    .option('--license <id>', 'licence of the model as SPDX identifier (GGUF)')
    .action((source: string, flags: Flags) => convert(source, flags, context))
}

async function convert(source: string, flags: Flags, { signal }: CommandContext): Promise<void> {
  const { output, type, verify, force, name, license } = flags
  if (!force && existsSync(output))
    throw new UsageError(`'${output}' is there already`, ['Pass --force to replace it'])
  const progress = new Progress()
  try {
    const made = await convertModel(source, output, {
      weightType: type,
      verify: verify ?? false,
      ...(name !== undefined && { name }),
      ...(license !== undefined && { license }),
      signal,
      onProgress: ({ stage, progress: fraction }) => progress.show(STAGES[stage], fraction),
    })
    progress.clear()
    const notes = made.conversions.length > 0 ? ` (${made.conversions.join(', ')})` : ''
    const checked = verify ? ', compared with the source' : ''
    process.stdout.write(
      `${made.path}: ${made.format} ${made.weightType}, ${(made.bytes / 1e6).toFixed(1)} MB, from ${made.from}${notes}${checked}\n`,
    )
  } finally {
    progress.clear()
  }
}
