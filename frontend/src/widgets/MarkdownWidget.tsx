/** A note in Markdown: shown as text, and edited as it is written when it is clicked twice or entered by keyboard. */
import { Fragment, type ReactNode, useEffect, useRef, useState } from "react";
import { asString } from "../graph/json.ts";
import { type Block, type Inline, parseMarkdown } from "../graph/markdown.ts";
import type { WidgetProps } from "./widget.ts";

export function MarkdownWidget({ label, value, onChange, onDone }: WidgetProps) {
  const text = asString(value) ?? "";
  const [isEditing, setEditing] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (isEditing) field.current?.focus({ preventScroll: true });
  }, [isEditing]);
  if (isEditing) {
    return (
      <textarea
        ref={field}
        className="widget-text"
        aria-label={label}
        spellCheck={false}
        value={text}
        onChange={(event) => onChange(event.currentTarget.value)}
        onBlur={() => {
          setEditing(false);
          onDone();
        }}
      />
    );
  }
  return (
    <div
      className="markdown"
      role="document"
      aria-label={label}
      tabIndex={0}
      data-scrolls
      title="Double-click to edit"
      onDoubleClick={() => setEditing(true)}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || event.target !== event.currentTarget) return;
        event.preventDefault();
        setEditing(true);
      }}
    >
      {text.trim() === "" ? <p className="empty">Double-click to write a note.</p> : parseMarkdown(text).map(showBlock)}
    </div>
  );
}

function showBlock(block: Block, index: number): ReactNode {
  switch (block.kind) {
    case "heading":
      return (
        <p key={index} role="heading" aria-level={block.level} className={`heading level-${block.level}`}>
          {show(block.content)}
        </p>
      );
    case "paragraph":
      return <p key={index}>{show(block.content)}</p>;
    case "quote":
      return <blockquote key={index}>{show(block.content)}</blockquote>;
    case "code":
      return <pre key={index}>{block.text}</pre>;
    case "rule":
      return <hr key={index} />;
    case "list":
      return (
        <ul key={index}>
          {block.items.map((item, place) => (
            <li key={place} style={{ marginLeft: item.depth * 14 }}>
              <span aria-hidden="true">{item.mark}</span>
              <span>{show(item.content)}</span>
            </li>
          ))}
        </ul>
      );
    case "table":
      return (
        <table key={index}>
          <tbody>
            {block.rows.map((row, place) => (
              <tr key={place}>
                {row.map((cell, column) => (
                  <td key={column} className={place === 0 ? "head" : undefined}>
                    {show(cell)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      );
  }
}

function show(content: readonly Inline[]): ReactNode {
  return content.map((part, index) => <Fragment key={index}>{showInline(part)}</Fragment>);
}

function showInline(part: Inline): ReactNode {
  switch (part.kind) {
    case "text":
      return part.text;
    case "code":
      return <code>{part.text}</code>;
    case "strong":
      return <strong>{show(part.content)}</strong>;
    case "emphasis":
      return <em>{show(part.content)}</em>;
    case "link":
      return (
        <a href={part.url} target="_blank" rel="noreferrer noopener">
          {show(part.content)}
        </a>
      );
  }
}
