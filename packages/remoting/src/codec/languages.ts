/** Sender languages by their code byte (spec: remoting, section 1.5; Java: org.apache.rocketmq.remoting.protocol.LanguageCode). */
const LANGUAGES: readonly string[] = [
  'JAVA',
  'CPP',
  'DOTNET',
  'PYTHON',
  'DELPHI',
  'ERLANG',
  'RUBY',
  'OTHER',
  'HTTP',
  'GO',
  'PHP',
  'OMS',
  'RUST',
  'NODE_JS',
]

const OTHER = 7

export const languageName = (code: number): string => LANGUAGES[code] ?? 'OTHER'

export function languageCode(name: string): number {
  const code = LANGUAGES.indexOf(name)
  return code < 0 ? OTHER : code
}
