/** Exit codes (the same for every command; `comet explain` prints them). */
export const ExitCode = {
  OK: 0,
  ERROR: 1,
  USAGE: 2,
  NOT_FOUND: 3,
  PERMISSION: 4,
  CONNECT: 5,
  TIMEOUT: 6,
  PARTIAL: 7,
  INTERRUPTED: 130,
} as const

export const exitCodeMeaning: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'error'],
  [2, 'wrong usage'],
  [3, 'not found'],
  [4, 'no permission, or not authenticated'],
  [5, 'cannot connect'],
  [6, 'timeout'],
  [7, 'done in part: some items failed'],
  [130, 'interrupted'],
]

const ofCode: Readonly<Record<string, number>> = {
  E_USAGE: ExitCode.USAGE,
  E_CONFIRM: ExitCode.USAGE,
  E_ARGUMENT: ExitCode.USAGE,
  E_MESSAGE: ExitCode.USAGE,
  E_NO_ROUTE: ExitCode.NOT_FOUND,
  E_NO_BROKER: ExitCode.NOT_FOUND,
  E_NO_QUEUE: ExitCode.PERMISSION,
  E_TOPIC_NOT_FOUND: ExitCode.NOT_FOUND,
  E_GROUP_NOT_FOUND: ExitCode.NOT_FOUND,
  E_NOT_FOUND: ExitCode.NOT_FOUND,
  E_NOT_RUNNING: ExitCode.NOT_FOUND,
  E_PERMISSION: ExitCode.PERMISSION,
  E_NO_NAME_SERVER: ExitCode.CONNECT,
  E_CONNECT: ExitCode.CONNECT,
  E_CLOSED: ExitCode.CONNECT,
  E_TIMEOUT: ExitCode.TIMEOUT,
  E_PARTIAL: ExitCode.PARTIAL,
  E_ABORTED: ExitCode.INTERRUPTED,
}

export const exitCodeOf = (code: string): number => ofCode[code] ?? ExitCode.ERROR
