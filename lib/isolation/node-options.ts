/** Options that would stop the process of a model in a debugger, or run the application's own code in it. */
const unwanted =
  /^(--inspect.*|--debug.*|--require|-r|--import|--loader|--experimental-loader|--watch.*|--test.*|--cpu-prof.*|--heap-prof.*|--prof|--env-file.*)$/

/** Those of them that take their value as the next word. */
const withValue = /^(--require|-r|--import|--loader|--experimental-loader)$/

/**
 * The value of `NODE_OPTIONS` for the process of a model: without debuggers, preloaded modules and profilers; limits of memory
 * and certificates stay.
 */
export function processNodeOptions(value: string): string {
  const kept: string[] = []
  // Node splits at spaces; double quotes keep them, a backslash escapes inside quotes.
  const words = value.match(/(?:"(?:\\.|[^"\\])*"|[^ "])+/g) ?? []
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string
    const [name = ''] = word.replaceAll('"', '').split('=')
    if (!unwanted.test(name)) kept.push(word)
    else if (withValue.test(name) && !word.includes('=')) i++
  }
  return kept.join(' ')
}
