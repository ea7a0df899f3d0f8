import { CliError } from '../errors.ts'

/** `key=value` texts of an option that may be repeated. */
export function splitPairs(texts: readonly string[] | undefined, option: string): Record<string, string> {
  return Object.fromEntries(
    (texts ?? []).map(pair => {
      const at = pair.indexOf('=')
      if (at < 1 || at === pair.length - 1)
        throw new CliError('E_USAGE', `${option} ${pair} is not understood`, 'it must look like key=value')
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}
