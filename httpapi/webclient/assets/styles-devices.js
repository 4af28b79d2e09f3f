// @ts-check
/** Styles of the choice of devices in the call view. */
import { sheet } from "./styles.js";

export const deviceStyles = sheet(`
	.devices { display: grid; gap: 10px; padding: 12px 16px; border-block-start: 1px solid var(--_border); }
	.devices label { display: grid; grid-template-columns: minmax(6rem, 1fr) 2fr; gap: 4px 12px; align-items: center; font-size: .9rem; }
	.devices select {
		min-block-size: 40px; min-inline-size: 0; padding: .3em .6em; font: inherit; color: var(--_text);
		border: 1px solid var(--_control); border-radius: 8px; background: var(--_surface);
	}
	.devices select:focus-visible { outline: 3px solid var(--_focus); outline-offset: 2px; }
	.party[data-screen] video { object-fit: contain; }
	.controls .round { min-inline-size: 40px; padding-inline: .7em; }
	:host([minimised]) .devices { display: none; }
	@media (max-width: 480px) {
		.devices label { grid-template-columns: 1fr; }
	}
`);
