/** The way to every start by hand, and to a large one by the address: through the question whether the host carries it. */
import { type StartRequest, setUi } from './store.ts';

/** Judged by the layer of capacity, which shows the question. */
export function whenAdmitted(request: StartRequest): void {
  setUi(({ startRequests }) => ({ startRequests: [...startRequests, request] }));
}

/** What the layer, or the person, has said. */
export function answerStart(request: StartRequest, go: boolean): void {
  setUi(({ startRequests }) => ({ startRequests: startRequests.filter((one) => one !== request) }));
  if (go) request.go();
}
