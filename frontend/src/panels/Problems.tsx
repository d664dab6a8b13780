/** What went wrong, in words, with the way to the node that it is about. */
import { useApp, useDocument, useRun, useUi } from "../app.ts";
import { nodeId } from "../graph/document.ts";
import { type Fault, faultsOf } from "../graph/faults.ts";
import type { PackProblem } from "../protocol/jobs.ts";
import type { Problem } from "../store/run_state.ts";
import { CloseIcon, WarningIcon } from "./icons.tsx";
import { MissingThings, useMissing } from "./MissingThings.tsx";

/** What would be refused; what is missing altogether is listed by itself. */
export function useFaults(): readonly Fault[] {
  const document = useDocument((state) => state.history.document);
  const definitions = useDocument((state) => state.definitions);
  const hasDefinitions = useDocument((state) => state.hasDefinitions);
  return hasDefinitions ? faultsOf(document, definitions) : [];
}

export function Problems() {
  const isOpen = useUi((state) => state.isProblemsOpen);
  return isOpen && <OpenProblems />;
}

function OpenProblems() {
  const { editor } = useApp();
  const problems = useRun((state) => state.problems);
  const packs = useUi((state) => state.packProblems);
  const missing = useMissing();
  const faults = useFaults().filter(
    ({ node, input }) => !problems.some((problem) => problem.node === node && problem.input === input),
  );
  const count = faults.length + problems.length + packs.length + missing.choices.length + missing.classes.length;
  return (
    <section className="problems" aria-label="Problems">
      <header>
        <WarningIcon />
        <h2>{count === 1 ? "1 problem" : `${count} problems`}</h2>
        <button
          type="button"
          className="tool"
          aria-label="Close the problems"
          onClick={() => editor.ui.setState({ isProblemsOpen: false })}
        >
          <CloseIcon />
        </button>
      </header>
      <ul data-scrolls>
        {problems.map((problem, index) => (
          <ProblemItem key={`${problem.id}-${index}`} problem={problem} />
        ))}
        {faults.map(({ node, input, message }) => (
          <ProblemItem
            key={`${node}-${input}`}
            problem={{ id: `${node}-${input}`, node, input, message, details: "" }}
          />
        ))}
        <MissingThings missing={missing} />
        {packs.map((pack) => (
          <PackItem key={pack.name} pack={pack} />
        ))}
        {count === 0 && <li className="empty">Nothing is wrong.</li>}
      </ul>
    </section>
  );
}

function PackItem({ pack }: { readonly pack: PackProblem }) {
  return (
    <li>
      <div className="problem-line">
        <span className="locate">node pack {pack.name}</span>
        <span className="problem-message">{pack.error}</span>
      </div>
      {pack.traceback !== "" && (
        <details>
          <summary>Traceback</summary>
          <pre>{pack.traceback}</pre>
        </details>
      )}
    </li>
  );
}

function ProblemItem({ problem }: { readonly problem: Problem }) {
  const { editor, view } = useApp();
  const id = problem.node === null ? null : nodeId(problem.node);
  const node = useDocument((state) => (id === null ? undefined : state.history.document.nodes[id]));
  const title = node && (node.title ?? editor.definitionOf(node)?.displayName ?? node.type);
  const locate = (): void => {
    if (id === null) return;
    editor.select([id]);
    view.reveal(id);
  };
  return (
    <li>
      <div className="problem-line">
        {node ? (
          <button type="button" className="locate" onClick={locate} title="Show this node">
            {title} <span className="outline-id">#{id}</span>
          </button>
        ) : (
          problem.node !== null && <span className="locate">node #{problem.node}</span>
        )}
        {problem.input !== null && <code>{problem.input}</code>}
        <span className="problem-message">{problem.message}</span>
      </div>
      {problem.details !== "" && (
        <details>
          <summary>Traceback</summary>
          <pre>{problem.details}</pre>
        </details>
      )}
    </li>
  );
}
