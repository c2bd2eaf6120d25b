import { once } from 'node:events'
import type { Duplex, Readable } from 'node:stream'
import type { StreamEvent, StreamStatsEvent } from '../../stream/types.ts'
import type { Warning } from '../../warnings.ts'
import type { OutputFiles } from './files.ts'
import type { Source } from './source.ts'
import type { View } from './views.ts'

export interface Listening {
  source: Source
  /** What of its samples is listened to; default: all. */
  pick?: ((samples: Readable) => Readable) | undefined
  /** Samples are written to it, {@link StreamEvent}s are read from it. */
  live: Duplex
  view: View
  files: OutputFiles
  output: NodeJS.WritableStream
  signal: AbortSignal
  /** Says what was doubtful, where the view does not. */
  warn?: (warning: Warning) => void
}

/**
 * Shows and writes what is said until the source ends, and then what is left.
 * @returns how it kept up at the end
 * @throws what ended the source or the transcription in another way
 */
export async function listen({
  source,
  pick = (samples) => samples,
  live,
  view,
  files,
  output,
  signal,
  warn,
}: Listening): Promise<StreamStatsEvent | undefined> {
  let stats: StreamStatsEvent | undefined
  const samples = pick(source.samples)
  samples.once('error', (error) => live.destroy(error))
  samples.pipe(live)
  for await (const event of live as AsyncIterable<StreamEvent>) {
    if (event.type === 'final') files.add(event)
    if (event.type === 'stats') stats = event
    if (event.type === 'warning') warn?.(event)
    const text = view.show(event)
    // A slow reader gets fewer partials, and everything else.
    if (text !== '' && !output.write(text)) await once(output, 'drain', { signal })
  }
  await source.ended
  for (const warning of source.warnings ?? []) warn?.(warning)
  return stats
}
