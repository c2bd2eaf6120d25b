/** Converts a model, and ends in the way of the first argument when it has begun to write. */
const { convertModel } = require(process.env.ENTRY)
const [how, path] = process.argv.slice(2)

const events = ['SIGINT', 'SIGTERM', 'SIGHUP', 'newListener']
const count = () => events.map((event) => process.listenerCount(event)).join(' ')

const act = {
  waits: () => console.log('now'),
  exits: () => process.exit(3),
  throws: () =>
    setImmediate(() => {
      throw new Error('of the application')
    }),
  listensLate: () => {
    process.once('SIGTERM', () => console.log('heard'))
    console.log('now')
  },
}
if (how === 'listens') process.on('SIGTERM', () => console.log('heard'))

const before = count()
let begun = false
const onProgress = ({ stage, progress }) => {
  if (begun || stage !== 'write' || progress === 0) return
  begun = true
  ;(act[how] ?? act.waits)()
}
const options = { weightType: 'q5_0', onProgress }
const both = how === 'both' ? convertModel(process.env.SLOW_MODEL, `${path}.second.gguf`, options) : undefined
Promise.all([convertModel(process.env.SLOW_MODEL, path, options), both]).then(() => {
  console.log(count() === before ? 'done' : `listeners: ${before} before, ${count()} after`)
})
