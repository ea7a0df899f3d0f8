import type { Outcome } from './frames.ts'

/** One line of the catalogue (spec bridge, section 6). */
export interface ErrorInfo {
  readonly code: number
  /** Without the prefix: `COMET_` + name is the `code` of an error in the SDKs. */
  readonly name: string
  readonly retryable: boolean
  /** What became of the request. */
  readonly outcome: Outcome
}

/**
 * RocketMQ 5's published status numbers unchanged; the bridge's own are nn90–nn99 of each family; 60000 and above exist only inside an SDK,
 * never on the wire. Ascending: how much more than the code before (nothing: 1), the name in lower case, `!` retryable, `?` outcome unknown
 * or `*` partial instead of not executed. It is in every client, and this is what compresses best; docs/errors.md has it as a table.
 */
const catalogue = `
40000bad request,2illegal topic,illegal tag,illegal key,illegal message group,illegal property key,invalid transaction id,2illegal filter,invalid receipt,kind mismatch,illegal delay,3illegal lease,illegal offset
74bad frame,unknown part,schema
98token missing,token expired!,token not yet valid!,token refused
197scope denied,origin denied,filter fixed
8not found,message not found,topic not found,group not found,87lease lost
400hello late!,timeout!?
99session taken,resume refused!,ordered group busy!
309body too large,properties too large,88frame too large
1510broker throttled!,90connection rate!,limit overrun,too many connections!,too many parts
6997cancelled?
11internal!?
100not supported
289draining!,broker unreachable!?,store refused!
8broker timeout!?,persistence timeout!?,replica timeout!?
9598closed,offline!,window full!,connection lost!?,invalid argument,unsupported runtime,partial*
`

let table: Map<number, ErrorInfo> | undefined

function all(): ReadonlyMap<number, ErrorInfo> {
  if (table) return table
  table = new Map()
  let code = 0
  for (const [, step, name, retryable, outcome] of catalogue.matchAll(/(\d*)([a-z ]+)(!?)([?*]?)/g)) {
    code += +(step || 1)
    table.set(code, {
      code,
      name: name!.replaceAll(' ', '_').toUpperCase(),
      retryable: !!retryable,
      outcome: outcome ? (outcome === '?' ? 'unknown' : 'partial') : 'not-executed',
    })
  }
  return table
}

export const errorOf = (code: number): ErrorInfo | undefined => all().get(code)

/** All of them, ascending. */
export const errorTable = (): ErrorInfo[] => [...all().values()]

/** Code by name. Throws for a name that is not in the table: a fault of ours. */
export function codeOf(name: string): number {
  for (const info of all().values()) if (info.name === name) return info.code
  throw new Error(`no error code is named ${name}`)
}
