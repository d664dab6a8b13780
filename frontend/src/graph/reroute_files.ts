/**
 * Reroutes in files: schema 1 has them at its root and names them at the links, 0.4 keeps both in `extra`.
 *
 * Invariant: what nobody changed is written as it was read.
 */
import {
  type Link,
  type LinkId,
  type Point,
  type Reroute,
  type RerouteId,
  type WorkflowDocument,
  linkId,
  linksOf,
  rerouteId,
  reroutesOf,
} from "./document.ts";
import { asNumber, isArray, isObject, type Json, type JsonObject, sameJson } from "./json.ts";

export interface SavedReroutes {
  readonly reroutes: { readonly [id: RerouteId]: Reroute };
  readonly via: ReadonlyMap<LinkId, RerouteId>;
}

const objects = (raw: Json | undefined): JsonObject[] => (isArray(raw) ? raw.filter(isObject) : []);
const extraOf = (root: JsonObject): JsonObject => (isObject(root["extra"]) ? root["extra"] : {});
const isSchemaOne = (root: JsonObject): boolean => root["version"] === 1;

export function readReroutes(root: JsonObject, rawLinks: Json | undefined): SavedReroutes {
  const reroutes: Record<RerouteId, Reroute> = {};
  for (const raw of objects(isSchemaOne(root) ? root["reroutes"] : extraOf(root)["reroutes"])) {
    const id = asNumber(raw["id"]);
    const pos = isArray(raw["pos"]) ? raw["pos"] : [];
    const [x, y] = [asNumber(pos[0]), asNumber(pos[1])];
    if (id === null || x === null || y === null) continue;
    reroutes[rerouteId(id)] = { id: rerouteId(id), parent: parentOf(raw), pos: [x, y], saved: raw };
  }
  const via = new Map<LinkId, RerouteId>();
  for (const raw of objects(isSchemaOne(root) ? rawLinks : extraOf(root)["linkExtensions"])) {
    const [id, parent] = [asNumber(raw["id"]), parentOf(raw)];
    if (id !== null && parent !== null && parent in reroutes) via.set(linkId(id), parent);
  }
  return { reroutes, via };
}

function parentOf(raw: JsonObject): RerouteId | null {
  const parent = asNumber(raw["parentId"]);
  return parent === null ? null : rerouteId(parent);
}

/** The fields of the root that hold reroutes; none when they are as in the file. */
export function writeReroutes(document: WorkflowDocument, root: JsonObject): JsonObject {
  const links = linksOf(document);
  const before = readReroutes(root, isSchemaOne(root) ? links.map((link) => link.saved) : undefined);
  const via = new Map(links.flatMap((link) => (link.via === null ? [] : [[link.id, link.via] as const])));
  if (sameJson(before.reroutes as unknown as Json, document.reroutes as unknown as Json) && sameMap(before.via, via))
    return {};
  const reroutes = Object.values(document.reroutes).map((reroute) => writeReroute(reroute, document, links));
  if (isSchemaOne(root)) return { reroutes };
  const extra = { ...extraOf(root), reroutes, linkExtensions: [...via].map(([id, parentId]) => ({ id, parentId })) };
  return { extra };
}

function writeReroute({ id, parent, pos, saved }: Reroute, document: WorkflowDocument, links: Link[]): JsonObject {
  const { parentId: _, ...rest } = saved ?? {};
  const linkIds = links.filter((link) => reroutesOf(document, link).some((other) => other.id === id));
  return {
    ...rest,
    id,
    ...(parent === null ? {} : { parentId: parent }),
    pos: [...pos] satisfies Point as unknown as Json,
    linkIds: linkIds.map((link) => link.id),
  };
}

function sameMap<K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
