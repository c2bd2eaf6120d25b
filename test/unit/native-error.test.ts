import { expect, it } from 'vitest'
import { captureCaller, toLibraryError } from '../../lib/backend/native-error.ts'
import { WhisperHipError } from '../../lib/errors.ts'
import { Model } from '../../lib/model.ts'

it('an error that is kept does not grow with each call, and shows the caller of the last', () => {
  const kept = new WhisperHipError('ERR_NATIVE_MISSING', 'There is nothing to load')
  const own = kept.stack
  function first() {
    return toLibraryError(kept, captureCaller(captureCaller))
  }
  function second() {
    return toLibraryError(kept, captureCaller(captureCaller))
  }
  expect(first()).toBe(kept)
  const { stack } = kept
  for (let call = 0; call < 10; call++) expect(second()).toBe(kept)
  expect(kept.stack?.split('\n').length).toBeLessThanOrEqual((stack as string).split('\n').length + 1)
  expect(kept.stack).toContain(own)
  expect(kept.stack).toMatch(/at second/)
  expect(kept.stack).not.toMatch(/at first/)
})

it.each([
  ['rejects', () => Promise.reject(Object.assign(new Error('no thread'), { code: 'ERR_INTERNAL' }))],
  [
    'throws',
    () => {
      throw Object.assign(new Error('no thread'), { code: 'ERR_INTERNAL' })
    },
  ],
])('a model whose disposal %s rejects with an error of this library', async (_, dispose) => {
  const model = new Model({
    native: { dispose },
    info: { name: 'tiny' },
    backend: {},
    setup: { concurrency: 1 },
  } as unknown as ConstructorParameters<typeof Model>[0])
  const disposed = model.dispose()
  expect(model.dispose()).toBe(disposed)
  await expect(disposed).rejects.toBeInstanceOf(WhisperHipError)
  await expect(disposed).rejects.toMatchObject({ code: 'ERR_INTERNAL', message: 'no thread' })
})
