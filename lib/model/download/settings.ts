import { statfs } from 'node:fs/promises'

/** What statvfs tells: blocks in all, blocks free for this user, bytes per block. */
interface FileSystemRoom {
  readonly blocks: number
  readonly bavail: number
  readonly bsize: number
}

/** Limits of a download. Callers of the library get the defaults. */
export interface Settings {
  /** Milliseconds without a byte after which a transfer counts as stalled. */
  readonly stallMs: number
  /** Attempts in a row that bring less than {@link Settings.progressBytes} before a download is given up. */
  readonly attempts: number
  /** What an attempt must add to count as progress: bounds the attempts against a server that sends a byte at a time. */
  readonly progressBytes: number
  /** Pause before the second attempt; doubles with each further one, up to 8 s. */
  readonly retryDelayMs: number
  /** Milliseconds without news from pip after which it is stopped; pip has timeouts of its own, which are shorter. */
  readonly pipStallMs: number
  readonly statfs: (path: string) => Promise<FileSystemRoom>
}

export const defaultSettings: Settings = {
  stallMs: 30_000,
  attempts: 5,
  progressBytes: 1 << 20,
  retryDelayMs: 500,
  pipStallMs: 300_000,
  statfs: (path) => statfs(path),
}
