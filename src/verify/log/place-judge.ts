import type { Fault, Report } from '../fault.js';
import type { CheckedRow } from './check-row.js';
import type { Excuses } from './excuses.js';
import type { StoredPlace } from './stored-order.js';

/** A place whose entry is another than was sealed there; told once it is known whether it only moved. */
interface Suspect {
  place: StoredPlace;
  leaf: Buffer;
  kind: 'changed' | 'extra';
  detail: string;
}

/** Past so many, they are told as changed without looking for where they belong. */
const MOST_SUSPECTS = 100_000;

/** Says what is wrong with single places, given the leaf hash that was sealed there. */
export class PlaceJudge {
  private readonly suspects: Suspect[] = [];
  /** The range of emptied places that is at or after the last place judged. */
  private range = 0;
  /** Entries met so far, by their erased_at. */
  private readonly erased = new Map<string, number>();
  /** Where leaves belong that are not in their place. */
  private readonly home = new Map<string, number>();

  constructor(
    private readonly excuses: Excuses,
    private readonly report: Report,
    /** Reads the entries that have no place. */
    private readonly readUnplaced: () => Promise<readonly CheckedRow[]>,
  ) {}

  /** `sealed`: the hash that the tree has at this place; null where nothing tells any more. */
  judge(sequence: number, sealed: Buffer | null, place: StoredPlace | null): void {
    if (place === null) {
      this.belongs(sealed, sequence);
      this.report({ kind: 'missing', sequence, detail: 'nothing stands at this place of the order' });
      return;
    }
    const { entry, entryId, leafHash } = place;
    if (entry === null) {
      if (!this.isEmptied(sequence) || entryId >= this.excuses.removedBefore)
        this.report({ kind: 'missing', sequence, detail: `entry ${entryId} is gone` });
      else if (sealed !== null && !leafHash.equals(sealed))
        this.report(changed(sequence, entryId, ['its leaf hash in the order']));
      return;
    }
    if (this.isEmptied(sequence))
      this.report({
        kind: 'extra',
        sequence,
        detail: `entry ${entryId} stands where a removal left nothing`,
      });
    const wrong = [...entry.wrong];
    const isSealed = sealed === null || entry.leaf.equals(sealed);
    if (isSealed && !leafHash.equals(entry.leaf)) wrong.push('its leaf hash in the order');
    if (isSealed && !this.isErasedByRights(entry.erasedAt)) wrong.push('erased_at');
    if (isSealed) {
      if (wrong.length > 0) this.report(changed(sequence, entryId, wrong));
      return;
    }
    this.belongs(sealed, sequence);
    const { detail } = changed(sequence, entryId, wrong.length > 0 ? wrong : ['what its leaf is made of']);
    this.suspect({ place, leaf: entry.leaf, kind: 'changed', detail });
  }

  /** A place after the last one that was sealed. */
  beyond(place: StoredPlace): void {
    const detail = `entry ${place.entryId} stands at a place that no checkpoint has`;
    if (place.entry) this.suspect({ place, leaf: place.entry.leaf, kind: 'extra', detail });
    else this.report({ kind: 'extra', sequence: place.seq, detail: `${detail}, and is gone` });
  }

  /** An entry that is to have its place, with the hash that it is to have there. */
  waits(sequence: number, leafHash: Buffer, entry: CheckedRow): void {
    const wrong = [...entry.wrong];
    if (!leafHash.equals(entry.leaf)) wrong.push('what its leaf is made of');
    if (!this.isErasedByRights(entry.erasedAt)) wrong.push('erased_at');
    if (wrong.length > 0) this.report(changed(sequence, entry.id, wrong));
  }

  /** The place that this leaf was sealed at and does not stand at, as far as is known. */
  homeOf(leaf: Buffer): number | undefined {
    return this.home.get(leaf.toString('hex'));
  }

  /** Leaves of entries that were found elsewhere than where they were sealed. */
  async strayLeaves(): Promise<Buffer[]> {
    const unplaced = await this.readUnplaced();
    return [...unplaced.map(({ leaf }) => leaf), ...this.suspects.map(({ leaf }) => leaf)];
  }

  /** Tells of the places that had to wait for the others. */
  end(): void {
    const { emptied, emptyPlaces } = this.excuses;
    const places = emptied.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    if (places !== emptyPlaces)
      this.report({
        kind: 'missing',
        sequence: Math.max(emptied[0]?.first ?? 1, 1),
        detail: `removals have emptied ${places} places from here on, the trail's own account says ${emptyPlaces}`,
      });
    for (const suspect of this.suspects) this.tell(suspect);
    this.suspects.length = 0;
  }

  /** Whether a removal emptied any of these places; to be asked in order. */
  hasEmptied(after: number, until: number): boolean {
    return (
      this.isEmptied(after + 1) ||
      (this.excuses.emptied[this.range]?.first ?? Number.POSITIVE_INFINITY) <= until
    );
  }

  /** Whether a removal emptied the place; to be asked in order. */
  private isEmptied(sequence: number): boolean {
    const { emptied } = this.excuses;
    while ((emptied[this.range]?.last ?? sequence) < sequence) this.range += 1;
    return (emptied[this.range]?.first ?? Number.POSITIVE_INFINITY) <= sequence;
  }

  /** Whether an account of an erasure tells of it, and of no fewer entries than were met; to be asked once an entry. */
  private isErasedByRights(erasedAt: string | null): boolean {
    if (erasedAt === null) return true;
    const met = (this.erased.get(erasedAt) ?? 0) + 1;
    this.erased.set(erasedAt, met);
    return met <= (this.excuses.erasedAt.get(erasedAt) ?? 0);
  }

  private belongs(sealed: Buffer | null, sequence: number): void {
    if (sealed && this.home.size < MOST_SUSPECTS) this.home.set(sealed.toString('hex'), sequence);
  }

  private suspect(suspect: Suspect): void {
    if (this.suspects.length < MOST_SUSPECTS) this.suspects.push(suspect);
    else this.tell(suspect);
  }

  private tell({ place, leaf, kind, detail }: Suspect): void {
    const sequence = place.seq;
    const home = this.homeOf(leaf);
    if (home === undefined || home === sequence) this.report({ kind, sequence, detail });
    else this.report({ kind: 'moved', sequence, detail: `entry ${place.entryId} belongs at ${home}` });
  }
}

const changed = (sequence: number, entryId: string, wrong: readonly string[]): Fault => ({
  kind: 'changed',
  sequence,
  detail: `entry ${entryId}: ${wrong.join('; ')}`,
});
