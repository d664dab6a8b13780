/**
 * The graph that both canvases are measured with: typed nodes of 240 by 196 with number, choice and text, laid out in
 * a grid, and links among neighbours. The same numbers in give the same graph, so that runs can be compared.
 */
const TYPES = ["MODEL", "CONDITIONING", "LATENT", "IMAGE"];
const CHOICES = ["euler", "heun", "dpmpp_2m", "ddim"];
const [WIDTH, HEIGHT, GAP_X, GAP_Y] = [240, 196, 320, 270];
export const KINDS = [0, 1, 2, 3];

/** Kind k takes three or four inputs and gives one or two outputs. */
export function kindOf(k) {
  const inputs = Array.from({ length: 3 + (k % 2) }, (_, index) => ({
    name: `in_${index}`,
    type: TYPES[(k + index) % TYPES.length],
  }));
  const outputs = Array.from({ length: 1 + (k % 2) }, (_, index) => ({
    name: `out_${index}`,
    type: TYPES[(k + index) % TYPES.length],
  }));
  return { name: `Bench${k}`, inputs, outputs, choices: CHOICES };
}

/** Nodes and links: `{id, kind, x, y}` and `{id, source, output, target, input, type}`. */
export function makeGraph(nodeCount, linkCount) {
  const columns = Math.ceil(Math.sqrt(nodeCount * 1.6));
  const nodes = Array.from({ length: nodeCount }, (_, index) => ({
    id: index + 1,
    kind: index % KINDS.length,
    x: (index % columns) * GAP_X,
    y: Math.floor(index / columns) * GAP_Y,
    width: WIDTH,
    height: HEIGHT,
  }));
  const random = randomOf(7);
  const taken = new Set();
  const links = [];
  while (links.length < linkCount) {
    const source = nodes[Math.floor(random() * nodes.length)];
    const step = 1 + Math.floor(random() * 4) + columns * Math.floor(random() * 3);
    const target = nodes[source.id - 1 + step];
    if (!target) continue;
    const outputs = kindOf(source.kind).outputs;
    const output = Math.floor(random() * outputs.length);
    const { type } = outputs[output];
    const input = kindOf(target.kind).inputs.findIndex((socket) => socket.type === type);
    const key = `${target.id}:${input}`;
    if (input < 0 || taken.has(key)) continue;
    taken.add(key);
    links.push({ id: links.length + 1, source: source.id, output, target: target.id, input, type });
  }
  return { nodes, links };
}

/** What the server says about the node types of this graph. */
export function objectInfoOf() {
  return Object.fromEntries(
    KINDS.map(kindOf).map((kind) => [
      kind.name,
      {
        input: {
          required: {
            ...Object.fromEntries(kind.inputs.map(({ name, type }) => [name, [type, {}]])),
            steps: ["INT", { default: 20, min: 1, max: 100 }],
            sampler: [kind.choices, {}],
            text: ["STRING", { default: "a small red cube" }],
          },
        },
        output: kind.outputs.map(({ type }) => type),
        output_name: kind.outputs.map(({ name }) => name),
        output_is_list: kind.outputs.map(() => false),
        name: kind.name,
        display_name: kind.name,
        description: "",
        category: "bench",
        output_node: true,
      },
    ]),
  );
}

/** The graph as a workflow file. */
export function workflowOf({ nodes, links }) {
  const into = new Map(links.map((link) => [`${link.target}:${link.input}`, link.id]));
  return {
    last_node_id: nodes.length,
    last_link_id: links.length,
    nodes: nodes.map(({ id, kind, x, y, width, height }) => ({
      id,
      type: kindOf(kind).name,
      pos: [x, y],
      size: [width, height],
      flags: {},
      order: id - 1,
      mode: 0,
      inputs: kindOf(kind).inputs.map((socket, index) => ({ ...socket, link: into.get(`${id}:${index}`) ?? null })),
      outputs: kindOf(kind).outputs.map((socket, index) => ({
        ...socket,
        links: links.filter((link) => link.source === id && link.output === index).map((link) => link.id),
      })),
      properties: {},
      widgets_values: [20, "euler", "a small red cube"],
    })),
    links: links.map(({ id, source, output, target, input, type }) => [id, source, output, target, input, type]),
    groups: [],
    config: {},
    extra: {},
    version: 0.4,
  };
}

/** A linear congruential generator (Numerical Recipes, 2nd edition, section 7.1). */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
