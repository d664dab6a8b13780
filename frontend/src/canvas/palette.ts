/** Colours that the canvas draws with: the theme's, read from CSS variables, and one for each type of socket. */

export interface Palette {
  readonly isDark: boolean;
  readonly background: string;
  readonly dot: string;
  readonly node: string;
  readonly title: string;
  readonly text: string;
  readonly border: string;
  /** Nodes seen from far away need more contrast than near ones. */
  readonly far: string;
  readonly farBorder: string;
  readonly accent: string;
  readonly running: string;
  readonly error: string;
  readonly group: string;
  /** Of a type's sockets and links. */
  readonly colourOf: (type: string) => string;
}

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  const isDark = read("--is-dark") === "1";
  const colours = new Map<string, string>();
  const colourOf = (type: string): string => {
    const colour = colours.get(type) ?? typeColour(type, isDark);
    colours.set(type, colour);
    return colour;
  };
  return {
    isDark,
    background: read("--canvas"),
    dot: read("--canvas-dot"),
    node: read("--node"),
    title: read("--node-title"),
    text: read("--text"),
    border: read("--node-border"),
    far: read("--node-far"),
    farBorder: read("--node-far-border"),
    accent: read("--accent"),
    running: read("--running"),
    error: read("--error"),
    group: read("--group"),
    colourOf,
  };
}

const HUES: { readonly [type: string]: readonly [hue: number, saturation: number] } = {
  MODEL: [262, 68],
  CLIP: [46, 88],
  VAE: [352, 72],
  CONDITIONING: [28, 88],
  LATENT: [318, 62],
  IMAGE: [206, 82],
  MASK: [146, 50],
  INT: [176, 48],
  FLOAT: [158, 46],
  STRING: [84, 42],
  BOOLEAN: [0, 36],
  COMBO: [220, 22],
  CONTROL_NET: [166, 62],
  SIGMAS: [66, 50],
  SAMPLER: [290, 40],
  GUIDER: [188, 58],
  NOISE: [226, 50],
  CLIP_VISION: [196, 60],
  CLIP_VISION_OUTPUT: [12, 62],
  STYLE_MODEL: [100, 44],
  VIDEO: [240, 66],
  AUDIO: [130, 60],
};

/** The colour of a type's sockets and links. A type without one of its own gets one made of its name. */
export function typeColour(type: string, isDark: boolean): string {
  if (type === "*" || type === "") return isDark ? "hsl(220 8% 66%)" : "hsl(220 8% 46%)";
  const [hue, saturation] = HUES[type.split(",")[0] ?? type] ?? [hash(type) % 360, 52];
  return `hsl(${hue} ${saturation}% ${isDark ? 66 : 46}%)`;
}

function hash(text: string): number {
  let value = 7;
  for (const letter of text) value = (value * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return value;
}
