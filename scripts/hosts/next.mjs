// @ts-check
/** Next.js, built for production: a route handler transcribes. */
import { own } from './host.mjs'

/** @typedef {import('./host.mjs').Host} Host */

const EXTERNAL = "serverExternalPackages: ['whisper-hip'],"
const TRACED = `outputFileTracingIncludes: {
    '/*': ['./node_modules/{whisper-hip,@whisper-hip,bindings,file-uri-to-path,node-gyp-build,pend,yauzl}/**/*'],
  },`

/** Starts the server that its arguments name, asks it for the route, and ends it. */
const VISIT = `import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

const port = await new Promise((done) => {
  const server = createServer().listen(0, () => {
    const { port } = server.address()
    server.close(() => done(port))
  })
})
const server = spawn(process.execPath, process.argv.slice(2), { stdio: 'inherit', env: { ...process.env, PORT: port } })
for (;;) {
  const response = await fetch(\`http://127.0.0.1:\${port}/answer\`).catch(() => null)
  if (response !== null || server.exitCode !== null) {
    process.exitCode = response?.ok ? 0 : 1
    break
  }
  await wait(200)
}
server.kill()
`
const FILES = {
  'app/answer/route.js': `import { answer } from '../../answer.mjs'
export const dynamic = 'force-dynamic'
export async function GET() {
  await answer()
  return new Response('written')
}`,
  'visit.mjs': VISIT,
}
const packages = { next: '16', react: '19', 'react-dom': '19' }
const build = own('next', 'build')

/** @type {Host[]} */
export const NEXT = [
  {
    name: 'Next.js',
    packages,
    setting: EXTERNAL,
    files: { ...FILES, 'next.config.js': `module.exports = { ${EXTERNAL} }` },
    run: [build, ['node', 'visit.mjs', 'node_modules/next/dist/bin/next', 'start']],
  },
  {
    name: 'Next.js, standalone',
    packages,
    setting: TRACED,
    files: {
      ...FILES,
      'next.config.js': `module.exports = { output: 'standalone', ${EXTERNAL} ${TRACED} }`,
    },
    // Elsewhere, so that it has no other packages than its own.
    run: [
      build,
      ['sh', '-c', 'cp -r .next/standalone "$PWD alone"'],
      ['sh', '-c', 'node visit.mjs "$PWD alone/server.js"'],
    ],
  },
]
