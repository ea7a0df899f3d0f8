/** The first of the rows from `low` to `high` (exclusive) that `holds`, when all after it hold as well; `high` when none does. */
export async function firstWhere(low: number, high: number, holds: (row: number) => Promise<boolean>): Promise<number> {
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (await holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
