import { describe, expect, test } from "vitest";
import { linkId, nodeId, rerouteId } from "../../src/graph/document.ts";
import type { Hit } from "../../src/canvas/hit.ts";
import { AT_REST, type Effect, type PointerInput, reducePointer, shifted } from "../../src/canvas/pointer.ts";

const VOID: Hit = { kind: "void" };
const NODE: Hit = { kind: "node", id: nodeId(1), isTitle: false };
const TITLE: Hit = { kind: "node", id: nodeId(1), isTitle: true };
const SOCKET: Hit = { kind: "socket", socket: { node: nodeId(1), side: "output", index: 0 } };

const PLAIN: PointerInput = {
  type: "down",
  pointer: 1,
  isTouch: false,
  button: 0,
  x: 0,
  y: 0,
  shift: false,
  ctrl: false,
  alt: false,
  space: false,
  voidSelects: false,
  hit: VOID,
  isSelected: false,
  time: 0,
};
const at = (x: number, y: number): Partial<PointerInput> => ({ x, y });
const down = (hit: Hit, more: Partial<PointerInput> = {}): PointerInput => ({ ...PLAIN, ...more, type: "down", hit });
const move = (x: number, y: number, more: Partial<PointerInput> = {}): PointerInput => ({
  ...PLAIN,
  ...more,
  ...at(x, y),
  type: "move",
});
const up = (x = 0, y = 0, more: Partial<PointerInput> = {}): PointerInput => ({
  ...PLAIN,
  ...more,
  ...at(x, y),
  type: "up",
});

/** Plays the inputs and tells what was done, in short. */
function play(...inputs: readonly PointerInput[]): string[] {
  let gesture = AT_REST;
  const done: string[] = [];
  for (const input of inputs) {
    const step = reducePointer(gesture, input);
    gesture = step.gesture;
    // Every drag of nodes begins with taking them.
    done.push(...step.effects.map(inShort).filter((effect) => effect !== "grab nodes"));
  }
  return done;
}

function inShort(effect: Effect): string {
  switch (effect.do) {
    case "pan":
    case "drag":
    case "drop":
      return `${effect.do} ${effect.dx},${effect.dy}`;
    case "grab":
      return `grab ${effect.what.kind}`;
    case "cut":
      return `cut ${effect.from.join()} ${effect.to.join()}`;
    case "select":
      return `${effect.mode} ${effect.id}`;
    case "marquee":
      return `marquee ${effect.rect.x},${effect.rect.y} ${effect.rect.width}x${effect.rect.height}${effect.isAdding ? " adding" : ""}`;
    case "zoom":
      return `zoom ${effect.factor} at ${effect.x},${effect.y}`;
    case "link-move":
    case "link-drop":
      return `${effect.do} ${effect.x},${effect.y} ${effect.hit.kind}`;
    default:
      return effect.do;
  }
}

describe("groups, points of links and cuts", () => {
  const GROUP: Hit = { kind: "group", index: 2, isCorner: false };
  const LINK: Hit = { kind: "link", id: linkId(3), part: 0 };
  const POINT: Hit = { kind: "reroute", id: rerouteId(4) };
  const cases: [string, PointerInput[], string[]][] = [
    ["Ctrl, Alt and a click break a socket's links", [down(SOCKET, { ctrl: true, alt: true }), up()], ["break"]],
    ["a click selects a group", [down(GROUP), up()], ["select-group"]],
    [
      "a double-click renames it",
      [down(GROUP), up(), down(GROUP, { time: 100 }), up(0, 0, { time: 120 })],
      ["select-group", "rename-group"],
    ],
    ["a drag takes it along", [down(GROUP), move(10, 0), up(12, 0)], ["grab group", "drag 10,0", "drop 12,0"]],
    ["a drag on a link makes a point", [down(LINK), move(10, 0), up(10, 5)], ["grab link", "drag 10,0", "drop 10,5"]],
    ["a drag moves a point", [down(POINT), move(10, 0), up(10, 5)], ["grab reroute", "drag 10,0", "drop 10,5"]],
    [
      "Alt and a drag cut links",
      [down(VOID, { alt: true }), move(10, 0), move(20, 0), up(20, 0)],
      ["cut 0,0 10,0", "cut 10,0 20,0", "cut-end"],
    ],
    [
      "so do Ctrl and the right button",
      [down(NODE, { ctrl: true, button: 2 }), move(10, 0), { ...PLAIN, type: "cancel" }],
      ["cut 0,0 10,0", "cut-cancel"],
    ],
  ];
  test.each(cases)("%s", (_, inputs, expected) => expect(play(...inputs)).toEqual(expected));
  test("what a drag began at moves with the view", () => {
    const { gesture } = reducePointer(reducePointer(AT_REST, down(NODE)).gesture, move(10, 0));
    const { effects } = reducePointer(shifted(gesture, -30, 5), move(10, 0));
    expect(effects.map(inShort)).toEqual(["drag 40,-5"]);
  });
});

describe("on the void", () => {
  const cases: [string, PointerInput[], string[]][] = [
    ["a click clears the selection", [down(VOID), up()], ["clear-selection"]],
    ["a click with Shift keeps it", [down(VOID, { shift: true }), up()], []],
    ["a drag pans", [down(VOID), move(2, 0), move(10, 0), move(15, 5), up(15, 5)], ["pan 10,0", "pan 5,5"]],
    [
      "Shift and a drag add by marquee",
      [down(VOID, { shift: true }), move(10, 20), up(10, 20)],
      ["marquee 0,0 10x20 adding", "marquee-end"],
    ],
    [
      "Ctrl and a drag select by marquee",
      [down(VOID, { ctrl: true }), move(-10, 20), up()],
      ["marquee -10,0 10x20", "marquee-end"],
    ],
    ["two clicks search", [down(VOID), up(), down(VOID, { time: 200 }), up()], ["clear-selection", "search"]],
    [
      "two slow clicks do not",
      [down(VOID), up(), down(VOID, { time: 900 }), up()],
      ["clear-selection", "clear-selection"],
    ],
    [
      "two clicks apart do not",
      [down(VOID), up(), down(VOID, { time: 200, x: 50 }), up(50)],
      ["clear-selection", "clear-selection"],
    ],
    ["the middle button pans at once", [down(NODE, { button: 1 }), move(3, 4), up(3, 4)], ["pan 3,4"]],
    ["the right button does nothing", [down(VOID, { button: 2 }), move(30, 40), up()], []],
    [
      "with Ctrl and Shift a drag up and down zooms where it began",
      [down(VOID, { ctrl: true, shift: true, x: 7, y: 100 }), move(7, 90), move(7, 80), up(7, 80)],
      [`zoom ${Math.exp(0.1)} at 7,100`],
    ],
    [
      "a drag selects when the void does, and Space still pans",
      [
        down(VOID, { voidSelects: true }),
        move(30, 20),
        up(30, 20),
        down(VOID, { voidSelects: true, space: true }),
        move(5, 0),
        up(5, 0),
      ],
      ["marquee 0,0 30x20", "marquee-end", "pan 5,0"],
    ],
    ["the middle button on a socket asks for a reroute", [down(SOCKET, { button: 1 }), up()], ["reroute-node"]],
    ["and pans when it is dragged", [down(SOCKET, { button: 1 }), move(20, 0), up(20, 0)], ["pan 20,0"]],
    ["Space and a drag pan over a node", [down(NODE, { space: true }), move(5, 0), up(5, 0)], ["pan 5,0"]],
  ];
  test.each(cases)("%s", (_, inputs, expected) => expect(play(...inputs)).toEqual(expected));
});

describe("on a node", () => {
  const selected = { isSelected: true };
  const cases: [string, PointerInput[], string[]][] = [
    ["a press selects it", [down(NODE), up()], ["replace 1"]],
    ["a press with Ctrl toggles it", [down(NODE, { ctrl: true }), up()], ["toggle 1"]],
    ["a tremble is no drag", [down(NODE), move(2, 2), up(2, 2)], ["replace 1"]],
    [
      "a drag moves it",
      [down(NODE), move(10, 0), move(20, 5), up(20, 5)],
      ["replace 1", "drag 10,0", "drag 20,5", "drop 20,5"],
    ],
    ["a drag of one of several moves all", [down(NODE, selected), move(10, 0), up(10, 0)], ["drag 10,0", "drop 10,0"]],
    ["a click on one of several means this one", [down(NODE, selected), up()], ["replace 1"]],
    [
      "Alt and a drag clone",
      [down(NODE, { alt: true }), move(10, 0), up(10, 0)],
      ["replace 1", "clone", "drag 10,0", "drop 10,0"],
    ],
    [
      "two clicks on the title rename",
      [down(TITLE), up(), down(TITLE, { time: 100, isSelected: true }), up()],
      ["replace 1", "rename"],
    ],
    [
      "a cancelled drag is taken back",
      [down(NODE), move(10, 0), { ...PLAIN, type: "cancel" }],
      ["replace 1", "drag 10,0", "drag-cancel"],
    ],
  ];
  test.each(cases)("%s", (_, inputs, expected) => expect(play(...inputs)).toEqual(expected));
});

describe("on a socket", () => {
  const cases: [string, PointerInput[], string[]][] = [
    ["a click does nothing", [down(SOCKET), up()], []],
    [
      "a drag is a link",
      [down(SOCKET), move(9, 0), move(20, 0, { hit: NODE }), up(20, 0, { hit: NODE })],
      ["link-start", "link-move 9,0 void", "link-move 20,0 node", "link-drop 20,0 node"],
    ],
    [
      "a lost pointer ends it",
      [down(SOCKET), move(9, 0), { ...PLAIN, type: "cancel" }],
      ["link-start", "link-move 9,0 void", "link-cancel"],
    ],
  ];
  test.each(cases)("%s", (_, inputs, expected) => expect(play(...inputs)).toEqual(expected));
});

describe("with fingers", () => {
  const touch = { isTouch: true };
  const second = { isTouch: true, pointer: 2 };
  const cases: [string, PointerInput[], string[]][] = [
    ["one pans", [down(VOID, touch), move(20, 0, touch), up(20, 0, touch)], ["pan 20,0"]],
    ["one trembles more than a mouse", [down(NODE, touch), move(7, 0, touch), up(7, 0, touch)], ["replace 1"]],
    [
      "two zoom about their middle",
      [
        down(VOID, touch),
        down(VOID, { ...second, x: 100 }),
        move(200, 0, second),
        up(200, 0, second),
        move(10, 0, touch),
        up(10, 0, touch),
      ],
      ["pan 50,0", "zoom 2 at 100,0", "pan 10,0"],
    ],
  ];
  test.each(cases)("%s", (_, inputs, expected) => expect(play(...inputs)).toEqual(expected));
});

test("another pointer does not disturb a drag", () => {
  expect(play(down(NODE), move(10, 0), move(90, 90, { pointer: 5 }), up(10, 0))).toEqual([
    "replace 1",
    "drag 10,0",
    "drop 10,0",
  ]);
});
