import { once } from 'node:events'
import { beforeEach, expect, it, vi } from 'vitest'

beforeEach(() => void vi.resetModules())

async function warningOf(text: string): Promise<Error & { code?: string; detail?: string }> {
  const { warnOnce } = await import('../../../lib/backend/warn.ts')
  const warning = once(process, 'warning')
  warnOnce({ reason: 'KFD_MISSING', text })
  warnOnce({ reason: 'KFD_MISSING', text: 'again' })
  return (await warning)[0]
}

it.each([
  ['whisper-hip runs on the CPU (KFD_MISSING): there is no /dev/kfd', 'there is no /dev/kfd.'],
  ['whisper-hip runs on the CPU (KFD_MISSING): it ended.', 'it ended.'],
  ['whisper-hip runs on the CPU (KFD_MISSING): it wrote\n  two\r\nlines\n', 'it wrote two lines.'],
])('is one line that points to the doctor: %j', async (text, end) => {
  const { message, code, detail } = await warningOf(text)
  expect(message).toBe(
    `whisper-hip runs on the CPU (KFD_MISSING): ${end} Run \`npx whisper-hip doctor\` for what to do.`,
  )
  expect({ code, detail }).toEqual({ code: 'WHISPER_HIP_CPU', detail: undefined })
})
