// @ts-check
/** Styles of the bar, the history and the choice of the ring tone; see styles.js. */
import { sheet, theme } from "./styles.js";

/** What forms and lists share. */
export const panel = sheet(`
	:host { display: block; }
	.panel { border: 1px solid var(--_border); border-radius: var(--_radius); background: var(--_surface); }
	.toolbar { display: flex; flex-wrap: wrap; align-items: center; gap: 10px 12px; margin-block-end: 16px; }
	.toolbar .grow { flex: 1 1 14rem; }
	label.field { display: grid; gap: 4px; font-weight: 600; font-size: .92rem; }
	input:not([type=radio], [type=checkbox]), select {
		min-block-size: 40px; inline-size: 100%; padding: .4em .8em;
		border: 1px solid var(--_control); border-radius: 10px;
		background: var(--_surface); color: var(--_text); font: inherit; font-weight: 400;
	}
	input[type=radio], input[type=checkbox] { inline-size: 1.15em; block-size: 1.15em; accent-color: var(--_accent); flex: none; margin: 0; }
	input:focus-visible, select:focus-visible, summary:focus-visible { outline: 3px solid var(--_focus); outline-offset: 2px; }
	ul, ol, dl { margin: 0; padding: 0; list-style: none; }
	.empty { display: grid; justify-items: center; gap: 6px; padding: 40px 20px; text-align: center; }
	.empty svg { inline-size: 36px; block-size: 36px; color: var(--_muted); }
	.fault { display: flex; flex-wrap: wrap; align-items: center; gap: 12px; padding: 12px 16px; color: var(--_alarm); }
	.chip { display: inline-flex; align-items: center; gap: 4px; padding: 1px 9px; border-radius: 999px; background: var(--_raised); color: var(--_text); font-size: .82rem; font-weight: 600; white-space: nowrap; }
	.more { display: flex; justify-content: center; padding: 12px; border-block-start: 1px solid var(--_border); }
`);

export const barStyles = [
	theme,
	sheet(`
	:host { position: fixed; inset-block-end: 16px; inset-inline-start: 16px; z-index: var(--wc-z-index, 2147483000); inline-size: min(520px, calc(100vw - 32px)); }
	:host([inline]) { display: block; position: static; inline-size: auto; }
	.list { display: grid; gap: 8px; }
	.row {
		display: flex; flex-wrap: wrap; align-items: center; gap: 8px 14px; padding: 10px 12px 10px 14px; padding-inline: 14px 12px;
		border: 1px solid var(--_border); border-inline-start: 4px solid var(--_accept); border-radius: var(--_radius);
		background: var(--_surface); box-shadow: var(--_shadow);
	}
	:host([inline]) .row { box-shadow: none; }
	.pulse { display: grid; place-items: center; inline-size: 36px; block-size: 36px; border-radius: 50%; background: var(--_accept); color: #fff; flex: none; }
	.words { flex: 1 1 9rem; min-inline-size: 0; }
	.words strong, .words span { display: block; overflow-wrap: anywhere; }
	time { font-variant-numeric: tabular-nums; font-weight: 600; }
	.actions { display: flex; flex-wrap: wrap; gap: 8px; }
`),
];

export const toneStyles = [
	theme,
	panel,
	sheet(`
	fieldset { display: grid; gap: 12px; justify-items: start; margin: 0; padding: 0; border: 0; }
	legend { padding: 0; margin-block-end: 10px; font-weight: 600; }
	.options { display: flex; flex-wrap: wrap; gap: 8px; }
	.options label { display: inline-flex; align-items: center; gap: 8px; min-block-size: 40px; padding: 4px 14px; border: 1px solid var(--_control); border-radius: 999px; cursor: pointer; }
	.options label:has(:checked) { border-color: var(--_focus); box-shadow: inset 0 0 0 1px var(--_focus); font-weight: 600; }
	.options label:has(:focus-visible) { outline: 3px solid var(--_focus); outline-offset: 2px; }
	.options input:focus-visible { outline: none; }
`),
];

export const accountStyles = [
	theme,
	panel,
	sheet(`
	.panel { display: grid; gap: 16px; padding: 20px 24px; }
	h2 { font-size: 1.05rem; }
	ul { display: grid; gap: 6px; }
	li { display: flex; flex-wrap: wrap; gap: 2px 12px; overflow-wrap: anywhere; }
	li bdi { min-inline-size: 0; }
	.kind { min-inline-size: 8rem; color: var(--_muted); }
	.forms { display: grid; gap: 16px; max-inline-size: 34rem; }
	.forms:empty { display: none; }
	form { display: flex; flex-wrap: wrap; gap: 8px; }
	form label { flex: 1 0 100%; font-weight: 600; font-size: .92rem; }
	form input { flex: 1 1 12rem; inline-size: auto; min-inline-size: 0; }
	.wrong { flex: 1 0 100%; color: var(--_alarm); font-size: .9rem; overflow-wrap: anywhere; }
	.wrong:empty { display: none; }
	[aria-invalid=true] { border-color: var(--_alarm); }
	.fault { padding: 0; }
	@media (max-width: 420px) { .panel { padding: 16px; } }
`),
];

export const missedStyles = [
	theme,
	sheet(`
	:host { display: inline-block; }
	:host([hidden]) { display: none !important; }
	.badge {
		display: inline-grid; place-items: center; min-inline-size: 1.45em; padding: 0 .4em; border-radius: 999px;
		background: var(--_danger); color: #fff; font-size: .78em; font-weight: 700; line-height: 1.6; font-variant-numeric: tabular-nums;
	}
`),
];

export const historyStyles = [
	theme,
	panel,
	sheet(`
	h2 { padding: 14px 16px 6px; font-size: .82rem; font-weight: 650; color: var(--_muted); }
	.day + .day { border-block-start: 1px solid var(--_border); }
	li { display: grid; grid-template-columns: auto minmax(0, 1fr) auto auto; align-items: center; gap: 4px 14px; padding: 10px 16px; }
	li + li { border-block-start: 1px solid color-mix(in srgb, var(--_border) 55%, transparent); }
	.avatar { inline-size: 44px; block-size: 44px; font-size: 16px; }
	.who { font-weight: 600; overflow-wrap: anywhere; }
	.what { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 8px; font-size: .9rem; color: var(--_muted); }
	.what svg { inline-size: 1.1em; block-size: 1.1em; }
	li[data-missed] .what .outcome { color: var(--_alarm); font-weight: 600; }
	.outcome { display: inline-flex; align-items: center; gap: 5px; }
	.new { background: var(--_danger); color: #fff; }
	time { unicode-bidi: plaintext; font-size: .9rem; color: var(--_muted); white-space: nowrap; font-variant-numeric: tabular-nums; }
	.back { min-inline-size: 40px; padding: 0; }
	@media (max-width: 420px) {
		li { grid-template-columns: auto minmax(0, 1fr) auto; padding-inline: 12px; }
		li time { grid-column: 2; grid-row: 2; }
		li .back { grid-row: 1 / span 2; grid-column: 3; }
	}
`),
];
