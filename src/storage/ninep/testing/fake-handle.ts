/** A folder of the File System Access API in memory, for tests: as strict as a browser's. */

const refuse = (name: string) => new DOMException(name, name);

export class FakeFile {
  readonly kind = 'file';
  contents = new Uint8Array(0);
  changed = 1000;
  constructor(readonly name: string) {}

  async getFile(): Promise<File> {
    return new File([this.contents], this.name, { lastModified: this.changed });
  }

  async createWritable({ keepExistingData = false } = {}) {
    let data = keepExistingData ? this.contents.slice() : new Uint8Array(0);
    const resize = (size: number) => {
      const other = new Uint8Array(size);
      other.set(data.subarray(0, size));
      data = other;
    };
    const put = (position: number, bytes: Uint8Array) => {
      if (position + bytes.length > data.length) resize(position + bytes.length);
      data.set(bytes, position);
    };
    let at = 0;
    const stream = new WritableStream<Uint8Array>({
      write(bytes) {
        put(at, bytes);
        at += bytes.length;
      },
      close: () => {
        this.contents = data;
        this.changed++;
      },
    });
    return Object.assign(stream, {
      write: async (command: { position: number; data: Uint8Array }) =>
        put(command.position, command.data),
      truncate: async (size: number) => resize(size),
      close: async () => {
        this.contents = data;
        this.changed++;
      },
    });
  }
}

export class FakeFolder {
  readonly kind = 'directory';
  readonly children = new Map<string, FakeFile | FakeFolder>();
  constructor(readonly name: string) {}

  async getFileHandle(name: string, { create = false } = {}): Promise<FakeFile> {
    return this.#get(name, create, FakeFile);
  }

  async getDirectoryHandle(name: string, { create = false } = {}): Promise<FakeFolder> {
    return this.#get(name, create, FakeFolder);
  }

  async removeEntry(name: string): Promise<void> {
    const child = this.children.get(name);
    if (!child) throw refuse('NotFoundError');
    if (child instanceof FakeFolder && child.children.size > 0) {
      throw refuse('InvalidModificationError');
    }
    this.children.delete(name);
  }

  async *entries() {
    yield* this.children;
  }

  #get<T extends FakeFile | FakeFolder>(
    name: string,
    create: boolean,
    type: new (name: string) => T,
  ): T {
    if (name === '' || name === '.' || name === '..' || /[/\\:]/.test(name))
      throw new TypeError(name);
    const child = this.children.get(name);
    if (child instanceof type) return child;
    if (child) throw refuse('TypeMismatchError');
    if (!create) throw refuse('NotFoundError');
    const made = new type(name);
    this.children.set(name, made);
    return made;
  }
}
