/**
 * A guard against a program that is taken for Node and is the application: started as Node, it would start itself again, and each copy
 * the next. Whoever starts a program as Node leaves its path in the environment of the child, and does not start one whose path it
 * finds in its own.
 *
 * The variable holds paths, not just a mark, because it can reach a process that is no copy: a copy that lives on, as the new main
 * process of an application with one instance or as a daemon, passes it to all that it starts, a terminal with an ordinary Node
 * included. There another program is Node, and nothing is in its way. The processes that are ours start nothing of the user's, and take
 * the variable out of their environment: in them, and in what they start, the same Node may be started again.
 */
const GUARD = 'WHISPER_HIP_CHILD'
/** A launcher may have another path each time, such as one in a folder that it unpacks itself into. */
const GENERATIONS = 3

/** The paths that were started as Node by the processes above this one, and do not have to be Node. */
function startedAbove(environment: NodeJS.ProcessEnv): string[] {
  try {
    const paths: unknown = JSON.parse(environment[GUARD] ?? '')
    // Anybody can write the variable: what is not of its form is not read.
    return Array.isArray(paths) && paths.every((path) => typeof path === 'string') ? paths : []
  } catch {
    return []
  }
}

/**
 * Whether the program has been started as Node above this process, which therefore is no child of ours but the application again.
 * @param copies how many processes above have the same command line: a launcher may clean the environment
 */
export function isStartedAbove(environment: NodeJS.ProcessEnv, path: string, copies: number): boolean {
  const above = startedAbove(environment)
  return above.includes(path) || above.length >= GENERATIONS || copies >= GENERATIONS
}

/** The environment for a child that is started as Node with this path. */
export function guarded(environment: NodeJS.ProcessEnv, path: string): NodeJS.ProcessEnv {
  return { ...environment, [GUARD]: JSON.stringify([...startedAbove(environment), path]) }
}

/** This process is one of ours. */
export function takeOutGuard(environment: NodeJS.ProcessEnv = process.env): void {
  delete environment[GUARD]
}
