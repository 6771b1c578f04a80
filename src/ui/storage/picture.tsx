/** The console as it was when a snapshot was taken, small. */
import { readPicture } from './ansi.ts';

export function Picture({ picture, name }: { picture: string; name: string }) {
  const lines = readPicture(picture);
  const empty = lines.every((runs) => runs.length === 0);
  return (
    <div className="picture" role="img" aria-label={`Console of ${name}: ${lastLine(lines)}`}>
      {empty ? (
        <span className="picture-empty">The console was empty.</span>
      ) : (
        <pre aria-hidden="true">
          {lines.slice(-24).map((runs, line) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a picture never changes
            <div key={line}>
              {runs.map(({ text, colour, bold }, run) => (
                <span
                  // biome-ignore lint/suspicious/noArrayIndexKey: a picture never changes
                  key={run}
                  data-colour={colour}
                  style={bold ? { fontWeight: 700 } : undefined}
                >
                  {text}
                </span>
              ))}
            </div>
          ))}
        </pre>
      )}
    </div>
  );
}

/** What a screen reader says of it. */
function lastLine(lines: ReturnType<typeof readPicture>): string {
  const texts = lines.map((runs) =>
    runs
      .map(({ text }) => text)
      .join('')
      .trim(),
  );
  return texts.findLast((text) => text !== '') ?? 'empty';
}
