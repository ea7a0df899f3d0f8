import { type Target } from '@cometmq/testkit/conformance'
import { run } from './web.ts'

// Deno and Bun: the target comes as the last argument, results go out as one JSON line.
declare const Deno: { args: string[]; exit(code: number): never } | undefined
declare const process: { argv: string[]; exit(code: number): never }

const argument = typeof Deno === 'undefined' ? process.argv.at(-1)! : Deno.args.at(-1)!
console.log(`RESULTS ${JSON.stringify(await run(JSON.parse(argument) as Target))}`)
if (typeof Deno === 'undefined') process.exit(0)
else Deno.exit(0)
