/** Runs `task` on every item, at most `concurrency` at a time, all of them even when one fails; rejects with the first error. */
export async function inParallel<T>(items: Iterable<T>, concurrency: number, task: (item: T) => Promise<void>): Promise<void> {
  const source = items[Symbol.iterator]()
  let failed = false
  let firstError: unknown
  const work = async (): Promise<void> => {
    for (let next = source.next(); next.done !== true; next = source.next()) {
      try {
        await task(next.value)
      } catch (error) {
        if (!failed) firstError = error
        failed = true
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  if (failed) throw firstError
}
