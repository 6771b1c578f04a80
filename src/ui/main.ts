/** The page's entry: asks for what the address boots, then brings the page up. */
import './ahead.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/console.css';
import './styles/overlays.css';
import './styles/shell.css';

await import('./start.ts');
