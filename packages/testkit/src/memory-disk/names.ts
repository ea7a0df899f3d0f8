import type { Random } from '../random.ts'
import type { FileContent } from './content.ts'

/** A change of names that a power cut may undo until the folders it touches are synced. */
type NameChange =
  | { kind: 'put'; path: string; content: FileContent }
  | { kind: 'delete'; path: string }
  | { kind: 'rename' | 'renameFolder'; path: string; to: string }

export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash > 0 ? path.slice(0, slash) : '/'
}

export function isIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + '/')
}

/** Which file stands under which path: as processes see it, and as a power cut would leave it. Paths are absolute and normal. */
export class Names {
  readonly files = new Map<string, FileContent>()
  readonly folders = new Set<string>(['/'])
  readonly #durable = new Map<string, FileContent>()
  readonly #durableFolders = new Set<string>(['/'])
  #unsynced: NameChange[] = []

  create(path: string, content: FileContent): void {
    this.#change({ kind: 'put', path, content })
  }

  delete(path: string): void {
    this.#change({ kind: 'delete', path })
  }

  rename(from: string, to: string): void {
    this.#change({ kind: 'rename', path: from, to })
  }

  renameFolder(from: string, to: string): void {
    this.#change({ kind: 'renameFolder', path: from, to })
    for (const folder of [...this.folders]) {
      if (!isIn(folder, from)) continue
      this.folders.delete(folder)
      this.makeFolder(to + folder.slice(from.length))
    }
  }

  makeFolder(path: string): void {
    for (let folder = path; !this.folders.has(folder); folder = folderOf(folder)) this.folders.add(folder)
  }

  deleteFolder(path: string): void {
    this.folders.delete(path)
  }

  /** Makes the folder itself, and all that happened to names in it, durable. */
  sync(folder: string): void {
    for (let each = folder; each !== '/'; each = folderOf(each)) this.#durableFolders.add(each)
    for (const each of this.#durableFolders)
      if (folderOf(each) === folder && !this.folders.has(each)) this.#durableFolders.delete(each)
    for (const each of this.folders) if (folderOf(each) === folder) this.#durableFolders.add(each)
    const touched = (change: NameChange): boolean =>
      folderOf(change.path) === folder || ('to' in change && folderOf(change.to) === folder)
    for (const change of this.#unsynced) if (touched(change)) applyChange(this.#durable, change)
    this.#unsynced = this.#unsynced.filter(change => !touched(change))
  }

  /** Everything as processes see it, each content passed through `copy`. */
  cloneSeen(copy: (content: FileContent) => FileContent): Names {
    const names = new Names()
    const copies = new Map<FileContent, FileContent>()
    const copyOnce = (content: FileContent): FileContent => {
      let made = copies.get(content)
      if (made === undefined) copies.set(content, (made = copy(content)))
      return made
    }
    for (const [path, content] of this.files) names.files.set(path, copyOnce(content))
    for (const [path, content] of this.#durable) names.#durable.set(path, copyOnce(content))
    for (const folder of this.folders) names.folders.add(folder)
    for (const folder of this.#durableFolders) names.#durableFolders.add(folder)
    names.#unsynced = this.#unsynced.map(change =>
      change.kind === 'put' ? { ...change, content: copyOnce(change.content) } : { ...change },
    )
    return names
  }

  /** Each unsynced change of a name kept or lost; contents passed through `copy`. */
  cloneAfterPowerCut(random: Random, copy: (content: FileContent) => FileContent): Names {
    const survivors = new Map(this.#durable)
    const keep = random.pick([0, 0.5, 0.5, 1])
    for (const change of this.#unsynced) if (random.next() < keep) applyChange(survivors, change)
    const names = new Names()
    for (const [path, content] of survivors) {
      const left = copy(content)
      names.files.set(path, left)
      names.#durable.set(path, left)
      names.makeFolder(folderOf(path))
    }
    for (const folder of this.#durableFolders) if (this.folders.has(folder) || random.chance()) names.makeFolder(folder)
    for (const folder of this.folders) if (random.chance()) names.makeFolder(folder)
    for (const folder of names.folders) names.#durableFolders.add(folder)
    return names
  }

  #change(change: NameChange): void {
    applyChange(this.files, change)
    this.#unsynced.push(change)
  }
}

/** A change whose source is missing (its creation was lost) does nothing. */
function applyChange(files: Map<string, FileContent>, change: NameChange): void {
  if (change.kind === 'put') files.set(change.path, change.content)
  else if (change.kind === 'delete') files.delete(change.path)
  else if (change.kind === 'renameFolder') {
    for (const [path, content] of [...files]) {
      if (!isIn(path, change.path)) continue
      files.delete(path)
      files.set(change.to + path.slice(change.path.length), content)
    }
  } else {
    const content = files.get(change.path)
    if (content === undefined || change.path === change.to) return
    files.delete(change.path)
    files.set(change.to, content)
  }
}
