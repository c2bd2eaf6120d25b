export interface DownloadProgress {
  /** Bytes so far. */
  received: number
  /** Bytes in all, or null while unknown. */
  total: number | null
  /** What is being downloaded from, for a reader. */
  source: string
}

export interface ObtainOptions {
  /** Never touch the network: what is not cached is `ERR_MODEL_NOT_FOUND`. Default false. */
  offline?: boolean | undefined
  /** Called at most ten times a second while bytes arrive. Not called when the model is cached. */
  onProgress?: ((progress: DownloadProgress) => void) | undefined
  /** Aborting rejects with its reason; what has arrived is kept and continued next time. */
  signal?: AbortSignal | undefined
  /** For URLs: the SHA-256 that the file must have, 64 hex digits. Catalogue models have their own. */
  sha256?: string | undefined
}
