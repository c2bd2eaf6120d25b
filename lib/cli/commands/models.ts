import { Command } from 'commander'
import { downloadModel, type LoadOptions, listModels } from '../../index.ts'
import type { CommandContext } from '../context.ts'
import { tell } from '../failures.ts'
import { optionsOf, readFlags, toUsage } from '../flags.ts'
import { showLoading } from '../load-progress.ts'
import { Progress } from '../progress.ts'
import { removeModel } from '../remove-model.ts'
import { table } from '../table.ts'
import { loadFlags } from '../transcribe-flags.ts'

/** `whisper-hip models` */
export function modelsCommand(context: CommandContext): Command {
  const command = new Command('models')
    .summary('list, download, find and remove models')
    .description('Lists, downloads, finds and removes models.')
  command
    .command('list')
    .description('Prints the catalogue, with what is in the cache.')
    .option('--json', 'print JSON')
    .action(list)
  const { sha256 } = loadFlags
  command
    .command('download <model...>')
    .description(
      'Puts models into the cache and prints their paths. What is there already is not asked for again.',
    )
    .addOption(optionsOf({ sha256 })[0] as ReturnType<typeof optionsOf>[number])
    .action((models: string[], flags) =>
      download(models, readFlags({ sha256 }, flags) as LoadOptions, context),
    )
  command
    .command('path <model>')
    .description('Prints where a model is in the cache. Never touches the network; fails if it is not there.')
    .action(async (model: string) => {
      process.stdout.write(`${await downloadModel(model, { offline: true })}\n`)
    })
  command
    .command('remove <model...>')
    .description('Removes models from the cache and prints where they were. Fails if one is not there.')
    .action(async (models: string[]) => {
      for (const model of models) {
        const { path, bytes } = await removeModel(model)
        process.stdout.write(`${path}\n`)
        tell(`removed ${model}, ${(bytes / 1e6).toFixed(0)} MB`)
      }
    })
  return command
}

async function list({ json }: { json?: true }): Promise<void> {
  const models = await listModels()
  if (json) {
    process.stdout.write(`${JSON.stringify(models, null, 2)}\n`)
    return
  }
  const rows = models.map(({ name, aliases, parameters, multilingual, bytes, path }) => [
    [name, ...aliases].join(', '),
    `${(parameters / 1e6).toFixed(0)} million`.padStart(12),
    multilingual ? '99 languages' : 'English',
    `${(bytes / 1e6).toFixed(0)} MB`.padStart(8),
    path ?? '-',
  ])
  const head = ['NAME', 'WEIGHTS'.padStart(12), 'SPEECH', 'DOWNLOAD'.padStart(8), 'IN THE CACHE']
  process.stdout.write(`${table([head, ...rows]).join('\n')}\n`)
}

async function download(
  models: readonly string[],
  options: LoadOptions,
  { signal }: CommandContext,
): Promise<void> {
  const progress = new Progress()
  try {
    for (const model of models) {
      const onProgress = showLoading(progress, model)
      const path = await downloadModel(model, { ...options, signal, onProgress })
      progress.clear()
      process.stdout.write(`${path}\n`)
    }
  } catch (error) {
    throw toUsage(error, loadFlags)
  } finally {
    progress.clear()
  }
}
