import { BridgeError } from './errors.ts'
import type { StandardSchema } from './topic.ts'

type Checked = Awaited<ReturnType<StandardSchema['~standard']['validate']>>

/** The schema's output; a promise only when the schema is asynchronous. Throws SCHEMA. */
export function validate(schema: StandardSchema<unknown, unknown>, value: unknown): unknown {
  const result = schema['~standard'].validate(value)
  return result instanceof Promise ? result.then(outputOf) : outputOf(result)
}

function outputOf(result: Checked): unknown {
  if (!result.issues) return result.value
  throw new BridgeError(
    40092,
    `the payload is not what the schema allows: ${result.issues.map(issue => issue.message).join('; ')}`,
  )
}
