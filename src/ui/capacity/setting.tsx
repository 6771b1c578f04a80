/**
 * One resource of a VM: a slider and a typed value with its unit, whether it takes effect at once,
 * what the host has of it, and what the guest confirms beside what was asked for.
 */
import { useState } from 'react';
import { Group } from 'react-aria-components/Group';
import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { NumberField } from 'react-aria-components/NumberField';
import { Slider, SliderThumb, SliderTrack } from 'react-aria-components/Slider';

export interface SettingProps {
  readonly title: string;
  readonly unit: string;
  readonly value: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly step?: number;
  /** Wide ranges: equal ways on the slider are equal factors. */
  readonly logarithmic?: boolean;
  readonly live: boolean;
  /** What the host has of it, in a sentence. */
  readonly budget: string;
  /** What the guest confirms, or what came of it; undefined while nothing has been reported. */
  readonly confirmed: string | undefined;
  readonly onChange: (value: number) => void;
}

/** Positions of a logarithmic slider. */
const POSITIONS = 200;

export function Setting(props: SettingProps) {
  const { maximum, minimum, onChange, title, unit } = props;
  // While it is dragged nothing is sent: each value would be a message and a line in the log.
  const [dragged, setDragged] = useState<number>();
  const value = dragged ?? props.value;
  const step = props.step ?? 1;
  const scale = props.logarithmic ? logarithmic(minimum, maximum) : linear(minimum, step);
  return (
    <div className="resource">
      <div className="resource-head">
        <h3>{title}</h3>
        <span className="badge" data-live={props.live}>
          {props.live ? 'live' : 'after restart'}
        </span>
        <span className="spacer" />
        {props.confirmed !== undefined && (
          <span className="resource-confirmed">{props.confirmed}</span>
        )}
      </div>
      <Slider
        className="slider"
        aria-label={title}
        minValue={scale.position(minimum)}
        maxValue={scale.position(maximum)}
        value={scale.position(value)}
        onChange={(position) => setDragged(scale.value(position))}
        onChangeEnd={(position) => {
          setDragged(undefined);
          onChange(scale.value(position));
        }}
      >
        <SliderTrack className="slider-track">
          {({ state }) => (
            <>
              <span
                className="slider-fill"
                style={{ inlineSize: `${state.getThumbPercent(0) * 100}%` }}
              />
              <SliderThumb className="slider-thumb" aria-valuetext={`${value} ${unit}`} />
            </>
          )}
        </SliderTrack>
      </Slider>
      <NumberField
        className="resource-number"
        value={value}
        minValue={minimum}
        maxValue={maximum}
        step={step}
        onChange={(typed) => {
          if (!Number.isNaN(typed) && typed !== props.value) onChange(typed);
        }}
      >
        <Label className="sr-only">
          {title}, typed, in {unit}
        </Label>
        <Group className="resource-typed">
          <Input className="input" />
          <span className="muted">{unit}</span>
        </Group>
      </NumberField>
      <span className="hint">{props.budget}</span>
    </div>
  );
}

interface Scale {
  position(value: number): number;
  value(position: number): number;
}

function linear(minimum: number, step: number): Scale {
  return {
    position: (value) => Math.round((value - minimum) / step),
    value: (position) => minimum + position * step,
  };
}

function logarithmic(minimum: number, maximum: number): Scale {
  const span = Math.log(maximum / minimum);
  return {
    position: (value) => Math.round((Math.log(value / minimum) / span) * POSITIONS),
    value(position) {
      const exact = minimum * Math.exp((position / POSITIONS) * span);
      // Two digits are as fine as such a slider is.
      const digit = 10 ** Math.max(0, Math.floor(Math.log10(exact)) - 1);
      return Math.min(maximum, Math.max(minimum, Math.round(exact / digit) * digit));
    },
  };
}
