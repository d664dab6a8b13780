/** Which node types a person marked as favourites, and which were added of late. Kept in this browser. */
import { createStore, type StoreApi } from "zustand/vanilla";

export interface Habits {
  readonly favourites: ReadonlySet<string>;
  /** The latest first. */
  readonly recents: readonly string[];
}

export const NO_HABITS: Habits = { favourites: new Set(), recents: [] };

const KEY = "heddle.habits";
const MOST_RECENTS = 24;

export class HabitStore {
  readonly state: StoreApi<Habits> = createStore<Habits>(read);

  toggleFavourite(classType: string): void {
    this.state.setState(({ favourites }) => {
      const others = [...favourites].filter((known) => known !== classType);
      return { favourites: new Set(favourites.has(classType) ? others : [...others, classType]) };
    });
    this.write();
  }

  used(classType: string): void {
    this.state.setState(({ recents }) => ({
      recents: [classType, ...recents.filter((known) => known !== classType)].slice(0, MOST_RECENTS),
    }));
    this.write();
  }

  private write(): void {
    const { favourites, recents } = this.state.getState();
    try {
      localStorage.setItem(KEY, JSON.stringify({ favourites: [...favourites], recents }));
    } catch {
      // The storage is full or forbidden: they last as long as the page.
    }
  }
}

function read(): Habits {
  try {
    const raw: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    const list = (key: string): string[] => {
      const found: unknown = typeof raw === "object" && raw !== null ? Reflect.get(raw, key) : null;
      return Array.isArray(found) ? found.filter((item) => typeof item === "string") : [];
    };
    return { favourites: new Set(list("favourites")), recents: list("recents") };
  } catch {
    return NO_HABITS;
  }
}
