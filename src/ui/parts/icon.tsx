/** The page's icons: drawn on a grid of 16, in the text's colour, hidden from screen readers. */
const PATHS = {
  plus: 'M8 3.2v9.6M3.2 8h9.6',
  search: 'M7.2 11.8a4.6 4.6 0 1 0 0-9.2 4.6 4.6 0 0 0 0 9.2ZM10.6 10.6l3 3',
  keyboard: 'M2 4.2h12v7.6H2zM4.5 6.8h.01M7 6.8h.01M9.5 6.8h.01M11.6 6.8h.01M5.4 9.4h5.2',
  list: 'M5.6 4h8M5.6 8h8M5.6 12h8M2.4 4h.01M2.4 8h.01M2.4 12h.01',
  sun: 'M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1.6v1.2M8 13.2v1.2M1.6 8h1.2M13.2 8h1.2M3.5 3.5l.8.8M11.7 11.7l.8.8M12.5 3.5l-.8.8M4.3 11.7l-.8.8',
  moon: 'M13.4 9.6A5.8 5.8 0 0 1 6.4 2.6a5.8 5.8 0 1 0 7 7Z',
  contrast: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 2v12M8 5l3.6-1M8 8.2l5.6-1.6M8 11.4l5.2-1.4',
  eye: 'M1.6 8S4 3.8 8 3.8 14.4 8 14.4 8 12 12.2 8 12.2 1.6 8 1.6 8ZM8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6Z',
  terminal: 'M2 3h12v10H2zM4.6 6l2 2-2 2M8.2 10.2h3',
  play: 'M5 3.2 12.4 8 5 12.8z',
  pause: 'M5.4 3.4v9.2M10.6 3.4v9.2',
  reset: 'M13 8a5 5 0 1 1-1.6-3.7M13.2 2v2.9h-2.9',
  power: 'M8 2v5.4M4.6 4.4a5 5 0 1 0 6.8 0',
  trash: 'M2.8 4.4h10.4M6.2 4.4V2.8h3.6v1.6M4.2 4.4l.6 8.8h6.4l.6-8.8M6.6 7v3.8M9.4 7v3.8',
  swap: 'M2.6 5.4h9.2L9.4 3M13.4 10.6H4.2L6.6 13',
  send: 'M8 13V3.4M4 7.2l4-4 4 4',
  copy: 'M5.6 5.6h7.8v7.8H5.6zM3.4 10.4H2.6V2.6h7.8v.8',
  download: 'M8 2.4v7.4M4.8 6.8 8 10l3.2-3.2M2.8 13h10.4',
  eraser: 'M6.2 13 2.6 9.4l6.2-6.2 4.6 4.6L8.2 13ZM5.6 6.4l4.6 4.6M6.2 13h7.4',
  close: 'm4 4 8 8M12 4l-8 8',
  more: 'M3.2 8.3a.3.3 0 1 0 0-.6.3.3 0 0 0 0 .6M8 8.3a.3.3 0 1 0 0-.6.3.3 0 0 0 0 .6M12.8 8.3a.3.3 0 1 0 0-.6.3.3 0 0 0 0 .6',
  back: 'M9.8 3.4 5.2 8l4.6 4.6',
  up: 'm3.6 10 4.4-4.4L12.4 10',
  down: 'm3.6 6 4.4 4.4L12.4 6',
  shield: 'M8 1.8 13 3.6v4c0 3.2-2 5.4-5 6.6-3-1.2-5-3.4-5-6.6v-4ZM5.8 8l1.6 1.6 2.9-3',
  warning: 'M8 2.4 14.4 13.4H1.6ZM8 6.6v3.2M8 11.6h.01',
  info: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 7.2v3.6M8 5.2h.01',
  check: 'm3.4 8.4 3 3 6.2-6.6',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
