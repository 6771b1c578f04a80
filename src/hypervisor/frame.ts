/**
 * The frame in which a VM's worker lives: a document of an opaque origin with a policy that allows
 * it to start blob workers and nothing else. It is an `srcdoc` document because that inherits the
 * page's cross-origin isolation, with isolation headers from a server as well as from a service
 * worker (which does not control sandboxed frames). A worker that was fully taken over reaches its
 * two ports and nothing besides: no storage, no network, no page.
 */
import * as v from 'valibot';
import { TEXT_LIMIT, type VmPorts } from '../worker/protocol.ts';
import { sharedMemoryAvailable } from './features.ts';

/**
 * The frame's whole program. It takes the worker's source from the page, starts it from a blob,
 * hands it its ports, and reports when it fails. The page's policy and the frame's own list its
 * hash (a test compares them), so it is one line that nobody formats by accident.
 */
export const FRAME_SCRIPT =
  "addEventListener('message',(event)=>{if(event.source!==parent||!event.data.source)return;const{source,name,vm}=event.data,report=event.ports[0];try{const worker=new Worker(URL.createObjectURL(new Blob([source],{type:'text/javascript'})),{name});worker.onerror=(error)=>{error.preventDefault();report.postMessage({type:'failed',message:String(error.message||'The worker could not be started.').slice(0,1000)})};worker.onmessageerror=()=>report.postMessage({type:'failed',message:'The worker sent an unreadable message.'});worker.postMessage(vm,[vm.control,vm.stream]);report.postMessage({type:'started',isolated:crossOriginIsolated})}catch(error){report.postMessage({type:'failed',message:String(error).slice(0,1000)})}},{once:true});";

/** SHA-256 of `FRAME_SCRIPT`, as the policies of the frame and of index.html name it. */
export const FRAME_SCRIPT_HASH = 'sha256-7NKc+11Z+qxYn3P2xP9bFrj/BLbHB+lAmes8JraMq7A=';

export const FRAME_POLICY = [
  "default-src 'none'",
  `script-src '${FRAME_SCRIPT_HASH}' 'wasm-unsafe-eval'`,
  'worker-src blob:',
  "connect-src 'none'",
  "form-action 'none'",
  "base-uri 'none'",
].join('; ');

const FRAME_DOCUMENT = `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${FRAME_POLICY}"><title>Virtual machine</title><script>${FRAME_SCRIPT}</script>`;

const ReportSchema = v.variant('type', [
  v.strictObject({ type: v.literal('started'), isolated: v.boolean() }),
  v.strictObject({
    type: v.literal('failed'),
    message: v.pipe(v.string(), v.maxLength(TEXT_LIMIT)),
  }),
]);

/** How well a VM's worker is shut in. */
export type Isolation = 'frame' | 'worker';

export interface Enclosure {
  readonly isolation: Isolation;
  /** Memory can be shared between threads in there. */
  readonly sharedMemory: boolean;
  /** Ends the worker, whatever it is doing. */
  dispose(): void;
}

/** The frame's document must load and answer within this time, or it is taken as unsupported. */
const FRAME_TIMEOUT_MS = 15_000;

/**
 * Starts a worker from its source. `onFailure` is called at most once, when the worker dies.
 * Where the browser cannot run a worker in such a frame, a plain one is started instead.
 */
export async function encloseWorker(
  source: ArrayBuffer,
  name: string,
  ports: VmPorts,
  onFailure: (message: string) => void,
): Promise<Enclosure> {
  const frame = document.createElement('iframe');
  frame.setAttribute('sandbox', 'allow-scripts');
  frame.setAttribute('allow', 'cross-origin-isolated');
  frame.setAttribute('aria-hidden', 'true');
  frame.tabIndex = -1;
  frame.className = 'vm-frame';
  frame.title = name;
  frame.srcdoc = FRAME_DOCUMENT;

  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error('The isolated frame of the VM did not load. Reload the page.')),
      FRAME_TIMEOUT_MS,
    );
    frame.addEventListener(
      'load',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
    document.body.append(frame);
  });

  const { port1: report, port2 } = new MessageChannel();
  const started = await new Promise<{ isolated: boolean } | undefined>((resolve) => {
    let decided = false;
    const timer = setTimeout(() => resolve(undefined), FRAME_TIMEOUT_MS);
    report.onmessage = (event: MessageEvent<unknown>) => {
      const message = v.safeParse(ReportSchema, event.data);
      clearTimeout(timer);
      if (message.success && message.output.type === 'started') {
        decided = true;
        resolve(message.output);
        return;
      }
      const text =
        message.success && message.output.type === 'failed'
          ? message.output.message
          : 'The frame of the VM sent an unexpected message.';
      if (decided) onFailure(text);
      else resolve(undefined);
    };
    // The frame's origin is opaque: no narrower target can be named.
    frame.contentWindow?.postMessage({ source, name, vm: ports }, '*', [
      port2,
      ports.control,
      ports.stream,
    ]);
  });
  if (started === undefined) {
    report.close();
    frame.remove();
    throw new FrameRefused();
  }
  return {
    isolation: 'frame',
    // Some browsers isolate the page but not a frame of another origin in it.
    sharedMemory: started.isolated,
    dispose() {
      report.close();
      frame.remove();
    },
  };
}

/** The browser does not run workers in frames of an opaque origin. */
export class FrameRefused extends Error {
  constructor() {
    super('This browser does not start workers in an isolated frame.');
  }
}

/** The way out for browsers that refuse the frame: the page says that such a VM is shut in less. */
export function plainWorker(
  source: ArrayBuffer,
  name: string,
  ports: VmPorts,
  onFailure: (message: string) => void,
): Enclosure {
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(url, { name });
  worker.onerror = (event) => {
    event.preventDefault();
    onFailure(event.message || 'The worker could not be started.');
  };
  worker.postMessage(ports, [ports.control, ports.stream]);
  return {
    isolation: 'worker',
    sharedMemory: sharedMemoryAvailable(),
    dispose() {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  };
}
