import type { StreamEvent } from './types.ts'

/** Events that nobody has read yet. Of partials and statistics only the newest is kept, all others stay until they are read. */
export class EventQueue {
  #events: StreamEvent[] = []

  get length(): number {
    return this.#events.length
  }

  push(event: StreamEvent): void {
    if (event.type === 'partial' || event.type === 'stats') {
      this.#events = this.#events.filter((other) => !isReplaced(other, event))
    }
    this.#events.push(event)
  }

  shift(): StreamEvent | undefined {
    return this.#events.shift()
  }
}

function isReplaced(old: StreamEvent, by: StreamEvent): boolean {
  if (old.type === 'partial') return by.type === 'partial' && old.utterance === by.utterance
  return old.type === 'stats' && by.type === 'stats'
}
