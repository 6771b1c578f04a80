/** The page's view “Events”: what happened to all machines and to the whole. A script of its own. */
import { EventsLog } from '../capacity/log.tsx';
import '../styles/capacity.css';

export default function EventsPage() {
  return (
    <div className="view">
      <h1>Events</h1>
      <EventsLog name="tabvisor" />
    </div>
  );
}
