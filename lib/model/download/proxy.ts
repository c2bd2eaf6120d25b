/**
 * Proxy variables that Node's fetch does not use unless told to. The connection is tried all the same, since many machines with
 * such variables have a direct way too; when it fails, the error must name the likely reason.
 */

/** A clause for the message of a failed connection, or ''. */
export function proxyNote(url: URL, environment: NodeJS.ProcessEnv = process.env): string {
  const names = url.protocol === 'https:' ? ['HTTPS_PROXY', 'https_proxy'] : ['HTTP_PROXY', 'http_proxy']
  const name = [...names, 'ALL_PROXY', 'all_proxy'].find((candidate) => environment[candidate])
  if (name === undefined || usesProxy(name, environment) || isExempt(url.hostname, environment)) return ''
  const remedy = /^all/i.test(name)
    ? 'set HTTPS_PROXY instead and start Node 24 with NODE_USE_ENV_PROXY=1'
    : supportsProxy()
      ? 'start Node with NODE_USE_ENV_PROXY=1'
      : 'start Node 24, or 22.21 and later, with NODE_USE_ENV_PROXY=1'
  return `; ${name} is set, but Node ${process.versions.node} as started does not send fetch through a proxy: ${remedy}`
}

/** NO_PROXY: hosts and domains, separated by commas; `*` means all. */
function isExempt(host: string, environment: NodeJS.ProcessEnv): boolean {
  const rules = (environment.NO_PROXY ?? environment.no_proxy ?? '').split(/[\s,]+/).filter(Boolean)
  return rules.some((rule) => {
    const domain = rule.replace(/^\*?\./, '').toLowerCase()
    return rule === '*' || host === domain || host.endsWith(`.${domain}`)
  })
}

function usesProxy(name: string, environment: NodeJS.ProcessEnv): boolean {
  if (/^all/i.test(name) || !supportsProxy()) return false
  const options = [...process.execArgv, ...(environment.NODE_OPTIONS ?? '').split(/\s+/)]
  return environment.NODE_USE_ENV_PROXY === '1' || options.includes('--use-env-proxy')
}

function supportsProxy(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major >= 24 || (major === 22 && minor >= 21)
}
