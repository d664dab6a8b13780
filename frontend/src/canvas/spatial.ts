/** Rectangles by where they are, so that what is near a place is found without asking all of them. */
import { overlaps, type Rect } from "./viewport.ts";

const CELL = 512;
/** What covers more cells than this is kept apart and always looked at. */
const MOST_CELLS = 48;
const ROW = 2 ** 24;

interface Entry<T> {
  readonly item: T;
  readonly rect: Rect;
}

export class SpatialGrid<T> {
  private readonly cells = new Map<number, Entry<T>[]>();
  private readonly wide: Entry<T>[] = [];

  add(item: T, rect: Rect): void {
    const entry = { item, rect };
    const [left, top, right, bottom] = cellsOf(rect);
    if ((right - left + 1) * (bottom - top + 1) > MOST_CELLS) {
      this.wide.push(entry);
      return;
    }
    for (let y = top; y <= bottom; y += 1) {
      for (let x = left; x <= right; x += 1) {
        const cell = this.cells.get(y * ROW + x);
        if (cell) cell.push(entry);
        else this.cells.set(y * ROW + x, [entry]);
      }
    }
  }

  /** Those that overlap, each once, in no order that means anything. */
  query(rect: Rect): Set<T> {
    const found = new Set<T>();
    const take = (entries: readonly Entry<T>[]): void => {
      for (const entry of entries) if (overlaps(entry.rect, rect)) found.add(entry.item);
    };
    take(this.wide);
    const [left, top, right, bottom] = cellsOf(rect);
    if ((right - left + 1) * (bottom - top + 1) > this.cells.size) {
      for (const entries of this.cells.values()) take(entries);
      return found;
    }
    for (let y = top; y <= bottom; y += 1) {
      for (let x = left; x <= right; x += 1) {
        const entries = this.cells.get(y * ROW + x);
        if (entries) take(entries);
      }
    }
    return found;
  }
}

function cellsOf({ x, y, width, height }: Rect): [left: number, top: number, right: number, bottom: number] {
  return [Math.floor(x / CELL), Math.floor(y / CELL), Math.floor((x + width) / CELL), Math.floor((y + height) / CELL)];
}
