import { type SubTopic } from '@cometmq/protocol'
import { badRequest, Fields } from './fields.ts'

const maxTopics = 32
const maxTags = 64

/** `topics` of a request: names, or `{ topic, tags }`. */
export function topicsOf(fields: Fields): readonly SubTopic[] {
  const list = fields.list('topics', maxTopics)
  if (list === undefined) throw badRequest('`topics` is missing: a list of topic names')
  const common = fields.texts('tags', maxTags)
  return list.map(item => {
    if (typeof item === 'string') return subTopic(item, common)
    const own = new Fields(item, 'an item of `topics`', ['topic', 'tags'])
    return subTopic(own.required('topic'), own.texts('tags', maxTags) ?? common)
  })
}

/** No tags: everything. */
export function subTopic(topic: string, tags: readonly string[] | undefined): SubTopic {
  if (tags === undefined || tags.length === 0) return [topic, 0, '']
  if (tags.includes('')) throw badRequest('a tag must not be empty')
  return [topic, 1, tags.join('||')]
}
