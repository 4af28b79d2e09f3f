// @ts-check
/** Styles of the elements for administrators; see styles.js. */
import { sheet, theme } from "./styles.js";
import { panel } from "./styles-panels.js";

const shared = sheet(`
	.item + .item { border-block-start: 1px solid var(--_border); }
	.head { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 14px; padding: 14px 18px; }
	.head .words { flex: 1 1 14rem; min-inline-size: 0; }
	.head h3 { font-size: 1rem; overflow-wrap: anywhere; }
	.tags { display: flex; flex-wrap: wrap; gap: 6px; margin-block-start: 6px; }
	.chip[data-kind=good] { background: color-mix(in srgb, var(--_accept) 18%, var(--_surface)); }
	.chip[data-kind=bad] { background: color-mix(in srgb, var(--_danger) 18%, var(--_surface)); }
	code { font-size: .88em; overflow-wrap: anywhere; }
	.spinner { padding: 24px; text-align: center; color: var(--_muted); }
`);

export const providersStyles = [
	theme,
	panel,
	shared,
	sheet(`
	.switch { flex: none; inline-size: 52px; block-size: 30px; min-block-size: 30px; padding: 3px; justify-content: start; border: 2px solid var(--_control); background: var(--_surface); }
	.switch span { display: block; block-size: 20px; inline-size: 20px; border-radius: 50%; background: var(--_control); }
	.switch[aria-checked=true] { background: var(--_accept); border-color: var(--_accept); }
	.switch[aria-checked=true] span { margin-inline-start: auto; background: #fff; }
	form { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 16px; padding: 4px 18px 18px; }
	form .actions { grid-column: 1 / -1; display: flex; flex-wrap: wrap; align-items: center; gap: 12px; }
	.field .note { font-weight: 400; font-size: .85rem; }
	.field .wrong { color: var(--_alarm); font-weight: 500; font-size: .85rem; }
	[aria-invalid=true] { border-color: var(--_alarm); }
	.check { display: flex; align-items: center; gap: 10px; font-weight: 600; }
	.found { padding: 0 18px 14px; }
	@media (prefers-reduced-motion: no-preference) { .switch span { transition: margin .15s; } }
`),
];

export const choiceStyles = [
	theme,
	panel,
	sheet(`
	form { display: grid; gap: 12px; padding: 14px 18px; }
	fieldset { display: grid; gap: 10px; justify-items: start; min-inline-size: 0; margin: 0; padding: 0; border: 0; }
	legend { padding: 0; margin-block-end: 10px; font-weight: 650; overflow-wrap: anywhere; }
	.check { display: inline-flex; align-items: center; gap: 10px; min-block-size: 28px; cursor: pointer; }
	.check:has(:disabled) { cursor: default; color: var(--_muted); }
	.list { display: flex; flex-wrap: wrap; gap: 8px 20px; padding-inline-start: 28px; }
	.actions { display: flex; flex-wrap: wrap; align-items: center; gap: 12px; }
	.actions .fault { padding: 0; }
`),
];

export const liveStyles = [
	theme,
	panel,
	shared,
	sheet(`
	.live { display: inline-grid; place-items: center; inline-size: 40px; block-size: 40px; border-radius: 50%; background: var(--_accept); color: #fff; }
	.body { display: grid; gap: 18px; padding: 4px 18px 18px; }
	.body h4 { margin: 0 0 6px; font-size: .85rem; color: var(--_muted); }
	.body li { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 12px; padding-block: 6px; }
	.body li + li { border-block-start: 1px solid color-mix(in srgb, var(--_border) 55%, transparent); }
	.body li .who { flex: 1 1 12rem; font-weight: 600; overflow-wrap: anywhere; }
	.body li .who .note { display: block; font-weight: 400; font-size: .85rem; }
	.why { padding: 12px 16px; border-radius: 10px; background: var(--_raised); }
	.why p + ul, .why li { margin-block-start: 4px; }
	.why ul li { display: list-item; list-style: disc; margin-inline-start: 1.2em; padding: 0; border: 0; }
	.actions { display: flex; flex-wrap: wrap; gap: 8px; }
	.actions .danger { margin-inline-start: auto; }
`),
];

export const timelineStyles = [
	theme,
	panel,
	shared,
	sheet(`
	form { display: grid; grid-template-columns: minmax(0, 1fr) auto; align-items: end; gap: 6px 12px; margin-block-end: 16px; }
	form > .note { grid-column: 1 / -1; }
	.scroll { overflow-x: auto; border-radius: inherit; }
	.scroll:focus-visible { outline: 3px solid var(--_focus); outline-offset: 2px; }
	table { inline-size: 100%; border-collapse: collapse; font-size: .92rem; }
	caption { padding: 14px 18px; text-align: start; font-weight: 650; }
	th, td { padding: 9px 18px; text-align: start; vertical-align: top; }
	thead th { color: var(--_muted); font-size: .82rem; font-weight: 650; border-block-end: 1px solid var(--_border); }
	tbody tr + tr td { border-block-start: 1px solid color-mix(in srgb, var(--_border) 55%, transparent); }
	tbody .run td { padding: 3px; background: var(--_raised); border: 0; }
	td strong { font-weight: 600; }
	.earlier { display: flex; justify-content: center; padding: 12px; border-block-end: 1px solid var(--_border); }
	td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
	td .note { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1em; font-size: .85rem; }
	.by { display: inline-flex; align-items: center; gap: 8px; }
	.by .avatar { inline-size: 26px; block-size: 26px; font-size: 11px; }
`),
];
