/** Commands for what has a place but does not run: groups, and the points that links pass through. */
import type { Draft } from "mutative";
import { dropUnusedReroutes, writable } from "./commands.ts";
import {
  type Group,
  type LinkId,
  type NodeId,
  type Point,
  type RerouteId,
  type WorkflowDocument,
  rerouteId,
  reroutesOf,
} from "./document.ts";
import type { Change } from "./history.ts";

export type Bounding = Group["bounding"];

export function newGroup(title: string, bounding: Bounding): Group {
  return { title, bounding, color: null, saved: null };
}

export function addGroup(group: Group): Change {
  return { label: "add group", recipe: (draft) => void writable(draft).groups.push(group) };
}

/** Its nodes stay. */
export function removeGroup(index: number): Change {
  return { label: "remove group", recipe: (draft) => void writable(draft).groups.splice(index, 1) };
}

export function editGroup(
  index: number,
  fields: Partial<Pick<Group, "title" | "color" | "bounding">>,
  gesture?: string,
): Change {
  return {
    label: "title" in fields ? "rename group" : "color" in fields ? "colour group" : "resize group",
    ...(gesture === undefined ? {} : { gesture }),
    recipe: (draft) => {
      const group = writable(draft).groups[index];
      if (group) Object.assign(group, fields);
    },
  };
}

/** What a drag takes along. */
export interface Places {
  readonly nodes: ReadonlySet<NodeId>;
  readonly groups: ReadonlySet<number>;
  readonly reroutes: ReadonlySet<RerouteId>;
}

export const NO_PLACES: Places = { nodes: new Set(), groups: new Set(), reroutes: new Set() };

export function movePlaces(places: Places, dx: number, dy: number): Change {
  const moved = ([x, y]: Point): Point => [Math.round(x + dx), Math.round(y + dy)];
  return {
    label: places.groups.size > 0 ? "move group" : "move",
    recipe: (draft) => {
      if (dx === 0 && dy === 0) return;
      const { nodes, groups, reroutes } = writable(draft);
      for (const id of places.nodes) {
        const node = nodes[id];
        if (node) Object.assign(node, { pos: moved(node.pos) });
      }
      for (const index of places.groups) {
        const group = groups[index];
        if (!group) continue;
        const [x, y, width, height] = group.bounding;
        Object.assign(group, { bounding: [...moved([x, y]), width, height] });
      }
      for (const id of places.reroutes) {
        const reroute = reroutes[id];
        if (reroute) Object.assign(reroute, { pos: moved(reroute.pos) });
      }
    },
  };
}

/** What a group holds: what stands in it, by its middle; a group, when all of it does. */
export function contentOf(
  document: WorkflowDocument,
  index: number,
  boxOf: (id: NodeId) => Bounding | undefined,
): Places {
  const group = document.groups[index];
  if (!group) return NO_PLACES;
  const [left, top, width, height] = group.bounding;
  const holds = (x: number, y: number): boolean => x >= left && x <= left + width && y >= top && y <= top + height;
  const nodes = Object.values(document.nodes).filter((node) => {
    const box = boxOf(node.id);
    return box !== undefined && holds(box[0] + box[2] / 2, box[1] + box[3] / 2);
  });
  const groups = document.groups.flatMap(({ bounding: [x, y, w, h] }, other) =>
    other !== index && holds(x, y) && holds(x + w, y + h) && w * h < width * height ? [other] : [],
  );
  const reroutes = Object.values(document.reroutes).filter(({ pos: [x, y] }) => holds(x, y));
  return {
    nodes: new Set(nodes.map((node) => node.id)),
    groups: new Set(groups),
    reroutes: new Set(reroutes.map((reroute) => reroute.id)),
  };
}

const MARGIN = 20;

/** The frame around boxes, with room for its title. */
export function boundingOf(boxes: readonly Bounding[], title: number): Bounding | null {
  if (boxes.length === 0) return null;
  const left = Math.min(...boxes.map(([x]) => x)) - MARGIN;
  const top = Math.min(...boxes.map(([, y]) => y)) - MARGIN - title;
  const right = Math.max(...boxes.map(([x, , width]) => x + width)) + MARGIN;
  const bottom = Math.max(...boxes.map(([, y, , height]) => y + height)) + MARGIN;
  return [left, top, right - left, bottom - top].map(Math.round) as unknown as Bounding;
}

export function nextRerouteId(document: WorkflowDocument): RerouteId {
  return rerouteId(Math.max(0, ...Object.values(document.reroutes).map((reroute) => reroute.id)) + 1);
}

/** Puts a point into a link, after as many of its points as `after` says. Links that share the way share the point. */
export function addReroute(document: WorkflowDocument, link: LinkId, after: number, pos: Point): Change {
  const id = nextRerouteId(document);
  const passed = document.links[link] ? reroutesOf(document, document.links[link]) : [];
  const parent = passed[after - 1]?.id ?? null;
  const next = passed[after];
  return {
    label: "add reroute",
    gesture: `reroute ${id}`,
    recipe: (draft) => {
      const { links, reroutes } = writable(draft);
      reroutes[id] = { id, parent, pos, saved: null };
      if (next) Object.assign(reroutes[next.id] ?? {}, { parent: id });
      else Object.assign(links[link] ?? {}, { via: id });
    },
  };
}

export function moveReroute(id: RerouteId, pos: Point): Change {
  return {
    label: "move reroute",
    gesture: `reroute ${id}`,
    recipe: (draft) => void Object.assign(writable(draft).reroutes[id] ?? {}, { pos }),
  };
}

/** Takes a point away; its links go on without it. */
export function removeReroute(document: WorkflowDocument, id: RerouteId): Change {
  const parent = document.reroutes[id]?.parent ?? null;
  return {
    label: "remove reroute",
    recipe: (draft: Draft<WorkflowDocument>) => {
      const { links, reroutes } = writable(draft);
      for (const other of Object.values(reroutes)) if (other.parent === id) Object.assign(other, { parent });
      for (const link of Object.values(links)) if (link.via === id) Object.assign(link, { via: parent });
      delete reroutes[id];
      dropUnusedReroutes(draft);
    },
  };
}
