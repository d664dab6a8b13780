/** What every widget is given. A widget shows one value and reports what the person makes of it. */
import type { InputDefinition } from "../graph/definitions.ts";
import type { Json } from "../graph/json.ts";

export interface WidgetProps {
  readonly input: InputDefinition;
  /** For assistive technology: the widget's name and its node's. */
  readonly label: string;
  readonly value: Json;
  readonly onChange: (value: Json) => void;
  /** The field is left or the slide ends: what follows is another step of undo. */
  readonly onDone: () => void;
}
