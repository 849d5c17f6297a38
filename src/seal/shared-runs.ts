interface Runs<T> {
  current: Promise<T>;
  next: Promise<T> | null;
}

/**
 * Runs `work` one at a time per key. Calls during a run share the one after it, since the current one may have missed what
 * they wait for.
 */
export class SharedRuns<T> {
  private readonly runs = new Map<string, Runs<T>>();

  constructor(private readonly work: (key: string) => Promise<T>) {}

  run(key: string): Promise<T> {
    const runs = this.runs.get(key);
    if (!runs) return this.start(key);
    runs.next ??= runs.current.catch(() => {}).then(() => this.start(key));
    return runs.next;
  }

  private start(key: string): Promise<T> {
    const runs: Runs<T> = { current: this.work(key), next: null };
    this.runs.set(key, runs);
    const end = () => {
      if (this.runs.get(key) === runs) this.runs.delete(key);
    };
    runs.current.then(end, end);
    return runs.current;
  }
}
