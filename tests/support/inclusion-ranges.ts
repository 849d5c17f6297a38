import { inclusionPaths, type Range } from '../../src/seal/merkle.js';

/** The ranges of one leaf's path, leaf to root. */
export function inclusionRanges(index: number, size: number): Range[] {
  const { ranges, paths } = inclusionPaths([index], size);
  return paths[0]!.map((place) => ranges[place]!);
}
