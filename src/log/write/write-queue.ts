/** What waits in turns, of some cost. */
interface Line<T> {
  /** The next item; none changes it but `shift`. */
  head(): T | undefined;
  shift(): T | undefined;
  push(path: readonly string[], item: T): void;
}

class Fifo<T> implements Line<T> {
  private readonly items: T[] = [];

  head(): T | undefined {
    return this.items[0];
  }

  shift(): T | undefined {
    return this.items.shift();
  }

  push(_path: readonly string[], item: T): void {
    this.items.push(item);
  }
}

interface Member<T> {
  readonly line: Line<T>;
  /** Cost that is left of its turns. */
  credit: number;
}

/**
 * Lines that are served by deficit round robin (Shreedhar and Varghese, SIGCOMM 1995): each turn of a line that waits adds
 * a quantum to what it may take, so that over time each takes as much, whatever its items cost. Lines may be made of lines,
 * by the parts of a path.
 */
class Ring<T> implements Line<T> {
  private readonly members = new Map<string, Member<T>>();
  /** Whose turn it is. */
  private current: string | null = null;

  constructor(
    private readonly costOf: (item: T) => number,
    private readonly quantum: number,
  ) {}

  push(path: readonly string[], item: T): void {
    const [key = '', ...rest] = path;
    let member = this.members.get(key);
    if (!member) {
      member = { line: rest.length > 0 ? new Ring(this.costOf, this.quantum) : new Fifo(), credit: 0 };
      this.members.set(key, member);
    }
    member.line.push(rest, item);
  }

  head(): T | undefined {
    for (;;) {
      if (this.current === null) {
        const [first] = this.members;
        if (!first) return undefined;
        this.current = first[0];
        first[1].credit += this.quantum;
      }
      const member = this.members.get(this.current)!;
      const head = member.line.head()!;
      if (this.costOf(head) <= member.credit) return head;
      this.members.delete(this.current);
      this.members.set(this.current, member);
      this.current = null;
    }
  }

  shift(): T | undefined {
    const head = this.head();
    if (head === undefined || this.current === null) return undefined;
    const member = this.members.get(this.current)!;
    member.line.shift();
    member.credit -= this.costOf(head);
    if (member.line.head() === undefined) {
      this.members.delete(this.current);
      this.current = null;
    }
    return head;
  }
}

/** In the unit of costs: about what a lone call costs, so that a round of turns takes little time. */
const QUANTUM = 16;

/**
 * Items that wait to be written, shared out by turns: first among writers, then among the tenants that each writes for. So
 * a writer, or a tenant of one, gets its next item through after at most one turn of each other, however many items they
 * have waiting. Within a writer and tenant, in the order of arrival.
 */
export class WriteQueue<T> {
  private readonly ring: Ring<T>;
  private size = 0;

  constructor(costOf: (item: T) => number, quantum = QUANTUM) {
    this.ring = new Ring(costOf, quantum);
  }

  get length(): number {
    return this.size;
  }

  push(writer: string, tenantId: string, item: T): void {
    this.ring.push([writer, tenantId], item);
    this.size += 1;
  }

  /** The item whose turn it is; undefined where none waits. */
  head(): T | undefined {
    return this.ring.head();
  }

  shift(): T | undefined {
    const item = this.ring.shift();
    if (item !== undefined) this.size -= 1;
    return item;
  }
}
