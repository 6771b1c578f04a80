/** The page's view “Host”. A script of its own. */
import { HostOverview } from '../capacity/host.tsx';
import '../styles/capacity.css';

export default function HostPage() {
  return (
    <div className="view">
      <h1>Host</h1>
      <HostOverview />
    </div>
  );
}
