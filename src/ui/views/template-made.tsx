/**
 * The template that the server is making, beside those that are there: `images/progress.json` says
 * which, and how far it is. It is another program's word: it passes a schema, and a server without it
 * is no failure.
 */
import { useEffect, useState } from 'react';
import { ProgressBar } from 'react-aria-components/ProgressBar';
import * as v from 'valibot';
import { loadCatalogue } from '../boot.ts';

const Line = v.pipe(v.string(), v.maxLength(200));
const ProgressSchema = v.object({
  format: v.literal(1),
  templates: v.pipe(v.array(v.object({ name: Line, title: Line, text: Line })), v.maxLength(20)),
});
type Made = v.InferOutput<typeof ProgressSchema>['templates'][number];

/** How often it is looked, in milliseconds. */
const LOOK_MS = 4000;

export default function TemplateMade() {
  const made = useMade();
  if (made === undefined) return null;
  return (
    <div className="card" role="status">
      <div>
        <h2>{made.title}</h2>
        <p className="muted">It is being made: {made.text}…</p>
      </div>
      <ProgressBar
        aria-label={`Making ${made.title}`}
        className="task-bar made-bar"
        valueLabel={made.text}
        isIndeterminate
      >
        <span data-unknown />
      </ProgressBar>
    </div>
  );
}

function useMade(): Made | undefined {
  const [made, setMade] = useState<Made>();
  useEffect(() => {
    let gone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let was = false;
    const look = async () => {
      const now = await askMade();
      if (gone) return;
      setMade(now);
      // What was being made is there: the list has it.
      if (now === undefined && was) void loadCatalogue(true);
      was = now !== undefined;
      if (was) timer = setTimeout(() => void look(), LOOK_MS);
    };
    void look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, []);
  return made;
}

async function askMade(): Promise<Made | undefined> {
  try {
    const response = await fetch(new URL('images/progress.json', document.baseURI), {
      cache: 'no-store',
    });
    if (!response.ok) return undefined;
    const parsed = v.safeParse(ProgressSchema, await response.json());
    return parsed.success ? parsed.output.templates[0] : undefined;
  } catch {
    return undefined;
  }
}
