/** Columns that a report is made for. */
const WIDTH = 80
/** Where a command begins in a piece of advice: after a colon. */
const COMMAND =
  /: (?=(?:sudo|npx|npm|pnpm|bun|yarn|export|echo|lspci|rocminfo|lxc|flatpak|nix-shell|sh|wsl|dnf|apt|zypper|pacman|[A-Z_]+=\S+ \S+|--\w)\b)/

/** A word, or an object of options with what is written to it: it is code, and stays on one line. */
const WORD = /(?:[^\s{]|\{[^}]*\})+/g

/**
 * A text as lines of at most 80 columns, but for words that are longer, such as paths.
 * @param first what stands before the first line
 * @param hanging columns by which the others are indented
 */
export function fold(text: string, first = '', hanging = first.length): string[] {
  return foldWords(wordsOf(text), first, hanging)
}

/** The same for a piece of advice: a command after a colon is never broken, so that it can be copied. */
export function foldAdvice(text: string, first: string): string[] {
  const at = text.search(COMMAND)
  const words = at === -1 ? wordsOf(text) : [...wordsOf(text.slice(0, at + 1)), text.slice(at + 2)]
  return foldWords(words, first, first.length)
}

function wordsOf(text: string): string[] {
  return text.match(WORD) ?? []
}

function foldWords(words: readonly string[], first: string, hanging: number): string[] {
  const lines: string[] = []
  let line = first
  let isEmpty = true
  for (const word of words) {
    if (!isEmpty && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = ' '.repeat(hanging)
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line]
}

/** Items with commas, broken into lines between them. */
export function list(items: readonly string[]): string[] {
  const lines: string[] = []
  for (const item of items) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 2 + item.length > WIDTH - 4) {
      if (last !== undefined) lines[lines.length - 1] = `${last},`
      lines.push(item)
    } else lines[lines.length - 1] = `${last}, ${item}`
  }
  return lines
}
