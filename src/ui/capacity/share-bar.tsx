/** A bar that shows who holds which share of a resource, and what is left of it. */

export interface Holder {
  readonly id: string;
  readonly name: string;
  readonly value: number;
}

const WIDTH = 1000;
const HEIGHT = 22;
const COLOURS = 6;

export function ShareBar(props: {
  title: string;
  holders: readonly Holder[];
  /** What there is; undefined while it is not known: then the holders fill the bar. */
  total: number | undefined;
  format: (value: number) => string;
  summary: string;
}) {
  const { format, holders, title } = props;
  const sum = holders.reduce((all, { value }) => all + value, 0);
  // Promised to more than there is: the bar shows what was promised, and where it ends.
  const whole = Math.max(props.total ?? 0, sum);
  const scale = whole === 0 ? 0 : WIDTH / whole;
  const end = props.total === undefined || props.total >= whole ? undefined : props.total * scale;
  let x = 0;
  return (
    <div className="share">
      <div className="share-head">
        <h3>{title}</h3>
        <span className="muted">{props.summary}</span>
      </div>
      <svg
        className="share-bar"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${holders
          .map(({ name, value }) => `${name} ${format(value)}`)
          .join(', ')}`}
      >
        <rect className="share-free" width={WIDTH} height={HEIGHT} />
        {holders.map(({ id, name, value }, index) => {
          const width = value * scale;
          const from = x;
          x += width;
          return (
            <rect
              key={id}
              className="share-part"
              data-colour={index % COLOURS}
              x={from}
              width={Math.max(0, width - 2)}
              height={HEIGHT}
            >
              <title>{`${name}: ${format(value)}`}</title>
            </rect>
          );
        })}
        {end !== undefined && <line className="share-end" x1={end} x2={end} y1={0} y2={HEIGHT} />}
      </svg>
      <ul className="share-legend">
        {holders.map(({ id, name, value }, index) => (
          <li key={id}>
            <span className="share-mark" data-colour={index % COLOURS} aria-hidden="true" />
            <span className="ellipsis">{name}</span> <span className="muted">{format(value)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
