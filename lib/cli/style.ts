const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const

/** Marks a text up for a terminal. */
export type Style = (name: keyof typeof CODES, text: string) => string

export const plain: Style = (_, text) => text

/**
 * Colours for a stream: none where it is no terminal, or under `NO_COLOR` (https://no-color.org).
 */
export function styleFor(stream: { readonly isTTY?: boolean }, environment = process.env): Style {
  const { NO_COLOR, TERM } = environment
  if (stream.isTTY !== true || TERM === 'dumb' || (NO_COLOR !== undefined && NO_COLOR !== '')) return plain
  return (name, text) => `\x1b[${CODES[name]}m${text}\x1b[0m`
}
