/** The frame around a view that is fetched when it is first shown: what stands there until then, and when it fails. */
import { Component, type ReactNode, Suspense } from 'react';
import { Button } from 'react-aria-components/Button';
import { Notice } from './controls.tsx';

export function ViewFrame({ title, children }: { title: string; children: ReactNode }) {
  return (
    <ViewBoundary key={title} title={title}>
      <Suspense
        fallback={
          <p className="view-loading muted" role="status">
            Opening {title}…
          </p>
        }
      >
        {children}
      </Suspense>
    </ViewBoundary>
  );
}

/** A view that fails takes nothing else with it. */
class ViewBoundary extends Component<
  { title: string; children: ReactNode },
  { failure: string | undefined }
> {
  override state: { failure: string | undefined } = { failure: undefined };

  static getDerivedStateFromError(error: unknown) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    const { failure } = this.state;
    if (failure === undefined) return this.props.children;
    return (
      <Notice
        tone="error"
        action={
          <Button className="button" onPress={() => location.reload()}>
            Load the page anew
          </Button>
        }
      >
        {this.props.title} could not be shown: {failure}
      </Notice>
    );
  }
}
