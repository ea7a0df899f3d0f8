import { isSystemGroup, isSystemTopic } from './system-names.ts'
import type { Scopes } from '../principal.ts'

/** What a client may want to do. Names are checked apart from rights: system names are nobody's. */
export type Operation =
  | { readonly type: 'publish'; readonly topic: string }
  | { readonly type: 'group'; readonly topic: string; readonly group: string }
  | { readonly type: 'broadcast'; readonly topic: string }
  | { readonly type: 'delay'; readonly ms: number }
  | { readonly type: 'priority'; readonly priority: number }
  | { readonly type: 'transaction' }
  | { readonly type: 'recall' }
  | { readonly type: 'inspect'; readonly topic: string }
  /** Moving the offsets of a group, for all its members. */
  | { readonly type: 'seek-group'; readonly topic: string; readonly group: string }

/**
 * Whether `scopes` allow it. Broadcast reads in no group's name: it needs a subscribe scope whose group pattern matches the empty
 * name, which only `*` (or runs of it) does; a right to share the work of one group is not a right to read everything.
 */
export function allows(scopes: Scopes, operation: Operation): boolean {
  switch (operation.type) {
    case 'publish':
      return !isSystemTopic(operation.topic) && scopes.publish.some(pattern => matches(pattern, operation.topic))
    case 'group':
      return maySubscribe(scopes, operation.topic, operation.group) && !isSystemGroup(operation.group)
    case 'broadcast':
      return maySubscribe(scopes, operation.topic, '')
    case 'delay':
      return operation.ms <= 0 || operation.ms <= scopes.maxDelayMs
    case 'priority':
      return operation.priority <= scopes.maxPriority
    case 'transaction':
      return scopes.transactions
    case 'recall':
      return scopes.recall
    case 'inspect':
      return scopes.inspect && maySee(scopes, operation.topic)
    case 'seek-group':
      return scopes.inspect && allows(scopes, { type: 'group', topic: operation.topic, group: operation.group })
  }
}

const maySubscribe = (scopes: Scopes, topic: string, group: string): boolean =>
  !isSystemTopic(topic) && scopes.subscribe.some(scope => matches(scope.topic, topic) && matches(scope.group, group))

/** Looking at single messages: of topics that the client may subscribe to in any way. */
const maySee = (scopes: Scopes, topic: string): boolean =>
  !isSystemTopic(topic) && scopes.subscribe.some(scope => matches(scope.topic, topic))

/** `*` stands for any run of characters, the empty one included. Linear in the length of both; no regular expression. */
export function matches(pattern: string, name: string): boolean {
  if (pattern === '*' || pattern === name) return true
  let p = 0
  let star = -1
  let retry = 0
  for (let n = 0; n < name.length;) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p++
      retry = n
    } else if (p < pattern.length && pattern[p] === name[n]) {
      p++
      n++
    } else if (star >= 0) {
      p = star + 1
      n = ++retry
    } else return false
  }
  while (p < pattern.length && pattern[p] === '*') p++
  return p === pattern.length
}
