import { parseAst } from 'rollup/parseAst'

interface Node {
  readonly type: string
  readonly [key: string]: unknown
}
const isNode = (value: unknown): value is Node => typeof (value as Node | null)?.type === 'string'

const globals = new Set(['globalThis', 'window', 'self'])
/** Child of a node that is a name only, not a use of a variable. */
const nameOnly: Readonly<Record<string, string>> = {
  MemberExpression: 'property',
  Property: 'key',
  MethodDefinition: 'key',
  PropertyDefinition: 'key',
}

/** Names that code uses as variables or as properties of the global object, texts and names of properties left out. Imports: `import`. */
export function namesUsed(code: string): ReadonlySet<string> {
  const found = new Set<string>()
  visit(parseAst(code) as unknown as Node, found)
  return found
}

function visit(node: Node, found: Set<string>): void {
  if (node.type === 'Identifier') found.add(node['name'] as string)
  if (/^Import|^Export(All|Named)Declaration/.test(node.type) && node['source'] !== undefined && node['source'] !== null)
    found.add('import')
  if (node.type === 'MemberExpression') addMember(node, found)
  const skipped = node['computed'] === true ? undefined : nameOnly[node.type]
  for (const [key, child] of Object.entries(node)) {
    if (key === skipped) continue
    for (const one of Array.isArray(child) ? child : [child]) if (isNode(one)) visit(one, found)
  }
}

function addMember({ object, property }: Node, found: Set<string>): void {
  if (isNode(object) && object.type === 'Identifier' && globals.has(object['name'] as string) && isNode(property))
    found.add(String(property['name'] ?? property['value']))
}
