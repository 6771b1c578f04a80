/**
 * What capacity has to say wherever the person is: that more is promised than there is, alerts, and
 * the question before more is started than the host carries. A script of its own that comes when the
 * first machine is up.
 */
import { type ReactNode, useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Dialog } from 'react-aria-components/Dialog';
import { Heading } from 'react-aria-components/Heading';
import { Modal, ModalOverlay } from 'react-aria-components/Modal';
import { budgetOf } from '../../hypervisor/host-assessment.ts';
import { overProvisioned, type Verdict } from '../../resources/admission.ts';
import { answerStart } from '../admission.ts';
import { judge } from '../judge.ts';
import { Notice } from '../parts/controls.tsx';
import { type StartRequest, useUi } from '../store.ts';
import './background.ts';
import { expectAssessment } from './first-assessment.ts';
import { useAlerts, useAssessment, useSecond } from './hooks.ts';
import './idle.ts';
import { notifyOfAlerts } from './notifications.ts';
import { telemetry } from './service.ts';
import './sprawl.ts';

notifyOfAlerts();
expectAssessment();

export default function CapacityLayer(): ReactNode {
  const [request] = useUi((state) => state.startRequests);
  return (
    <>
      <TooMuch />
      <AlertBar />
      {request !== undefined && <Question request={request} />}
    </>
  );
}

/** A plain sentence while more is promised than there is; once closed, until it is another one. */
function TooMuch() {
  useSecond();
  const { assessment } = useAssessment();
  const [closed, setClosed] = useState<string>();
  const text = overProvisioned(budgetOf(assessment), telemetry.loads());
  // The numbers in it change; what it is about is in its first words.
  const about = text?.split(':')[0];
  if (text === undefined || about === closed) return null;
  return (
    <Notice
      tone="warning"
      action={
        <>
          <a className="button" href="#/host">
            Show the host
          </a>
          <Button className="button" onPress={() => setClosed(about)}>
            Close
          </Button>
        </>
      }
    >
      {text}
    </Notice>
  );
}

/** The newest alert, and how many more there are. */
function AlertBar() {
  const alerts = useAlerts();
  const [seen, setSeen] = useState(0);
  const [newest] = alerts;
  if (newest === undefined || newest.raisedAt <= seen) return null;
  const others = alerts.length - 1;
  return (
    <Notice
      tone={newest.rule.level}
      action={
        <>
          <a className="button" href="#/events">
            Show events
          </a>
          <Button className="button" onPress={() => setSeen(newest.raisedAt)}>
            Close
          </Button>
        </>
      }
    >
      <strong>
        {newest.name}: {newest.rule.title}.
      </strong>{' '}
      {newest.text}
      {others > 0 && ` And ${others} more.`}
    </Notice>
  );
}

/** Lets a start through that fits; asks about one that does not. */
function Question({ request }: { request: StartRequest }) {
  const [verdict, setVerdict] = useState<Verdict>();
  useEffect(() => {
    let gone = false;
    void expectAssessment()
      .then((assessment) => judge(request.machines, budgetOf(assessment), telemetry.loads()))
      .then((judged) => {
        if (gone) return;
        if (judged.kind === 'fits') answerStart(request, true);
        else setVerdict(judged);
      });
    return () => {
      gone = true;
    };
  }, [request]);
  if (verdict === undefined || verdict.kind === 'fits') return null;
  const refused = verdict.kind === 'refuse';
  const reasons = refused ? [verdict.reason] : verdict.reasons;
  return (
    <ModalOverlay
      isOpen
      isDismissable
      onOpenChange={() => answerStart(request, false)}
      className="overlay"
    >
      <Modal className="modal">
        <Dialog role="alertdialog" className="dialog">
          <Heading slot="title">
            {refused ? 'This does not fit' : 'More than this computer carries'}
          </Heading>
          {reasons.map((reason) => (
            <p key={reason}>{reason}</p>
          ))}
          <footer className="dialog-actions">
            <Button className="button" autoFocus onPress={() => answerStart(request, false)}>
              {refused ? 'Close' : 'Cancel'}
            </Button>
            {!refused && (
              <Button className="button primary" onPress={() => answerStart(request, true)}>
                Start anyway
              </Button>
            )}
          </footer>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
