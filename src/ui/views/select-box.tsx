/** The box that selects a row of a list. */
import { Checkbox } from 'react-aria-components/Checkbox';
import { Icon } from '../parts/icon.tsx';

export default function SelectBox() {
  return (
    <Checkbox slot="selection" className="tick select-box">
      <span className="tick-box" aria-hidden="true">
        <Icon name="check" size={12} />
      </span>
    </Checkbox>
  );
}
