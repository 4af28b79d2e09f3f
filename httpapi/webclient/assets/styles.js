// @ts-check
/**
 * Styles of the elements, as constructable style sheets: no inline style and no
 * style element, so a strict content security policy has nothing to object to.
 * The custom properties `--wc-...` are the theme; see client.css.
 */

/** @param {string} css */
export function sheet(css) {
	const made = new CSSStyleSheet();
	made.replaceSync(css);
	return made;
}

export const theme = sheet(`
	:host {
		--_accent: var(--wc-accent, light-dark(#1d5fd6, #2f6fe4));
		--_on-accent: var(--wc-on-accent, #fff);
		--_accept: var(--wc-accept, light-dark(#15803d, #1a7f40));
		--_danger: var(--wc-danger, light-dark(#c81e1e, #d12f2f));
		--_alarm: var(--wc-alarm, light-dark(#b91c1c, #ff9c94));
		--_surface: var(--wc-surface, light-dark(#fff, #172032));
		--_raised: var(--wc-raised, light-dark(#eef1f7, #26324a));
		--_text: var(--wc-text, light-dark(#16202e, #eef2f8));
		--_muted: var(--wc-muted, light-dark(#56606f, #a8b3c4));
		--_border: var(--wc-border, light-dark(#d5dbe5, #3a4763));
		--_control: var(--wc-control, light-dark(#7b8798, #8290a8));
		--_focus: var(--wc-focus, light-dark(#1d5fd6, #8fb4ff));
		--_radius: var(--wc-radius, 14px);
		--_shadow: var(--wc-shadow, 0 12px 40px rgb(15 23 42 / 25%));
		--_stage: var(--wc-stage, #0c1320);
		font-family: var(--wc-font, inherit);
		color: var(--_text);
		text-align: start;
	}
	:host([hidden]), [hidden] { display: none !important; }
	*, *::before, *::after { box-sizing: border-box; }
	button {
		display: inline-flex; align-items: center; justify-content: center; gap: .5em;
		min-block-size: 40px; padding: .45em 1em;
		border: 1px solid transparent; border-radius: 999px;
		background: var(--_raised); color: var(--_text);
		font: inherit; font-weight: 600; cursor: pointer;
	}
	button:hover { filter: brightness(1.08); }
	button:focus-visible, a:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--_focus); outline-offset: 2px; }
	button[disabled], button[aria-disabled=true] { opacity: .6; cursor: default; filter: none; }
	button.primary { background: var(--_accent); color: var(--_on-accent); }
	button.accept { background: var(--_accept); color: #fff; }
	button.danger { background: var(--_danger); color: #fff; }
	svg { inline-size: 1.25em; block-size: 1.25em; fill: currentColor; flex: none; }
	.avatar {
		display: inline-grid; place-items: center; overflow: hidden; flex: none;
		inline-size: 56px; block-size: 56px; border-radius: 50%;
		background: var(--_accent); color: var(--_on-accent); font-weight: 700; font-size: 20px;
	}
	.avatar img { inline-size: 100%; block-size: 100%; object-fit: cover; }
	.hushed {
		position: absolute; inline-size: 1px; block-size: 1px; margin: -1px;
		overflow: hidden; clip-path: inset(50%); white-space: nowrap;
	}
	button.quiet { background: transparent; color: var(--_text); }
	button.quiet:hover { background: var(--_raised); }
	button.outlined { background: transparent; border-color: var(--_control); }
	button.small { min-block-size: 32px; padding: .2em .8em; font-size: .9rem; }
	h2, h3, p { margin: 0; }
	time { unicode-bidi: isolate; }
	.note { color: var(--_muted); font-size: .9rem; }
	@media (forced-colors: active) { button { border-color: ButtonText; } }
`);

export const buttonStyles = [
	theme,
	sheet(`
	:host { display: inline-block; }
	.split { position: relative; display: inline-flex; gap: 2px; }
	.split.choice > .call { border-start-end-radius: 6px; border-end-end-radius: 6px; }
	.split > .more { min-inline-size: 40px; padding: 0 .5em; border-radius: 6px 999px 999px 6px; }
	.split > .more:dir(rtl) { border-radius: 999px 6px 6px 999px; }
	.menu {
		position: absolute; inset-block-start: calc(100% + 6px); inset-inline-end: 0; z-index: 1000;
		min-inline-size: max(100%, 15rem); inline-size: max-content; max-inline-size: min(22rem, calc(100vw - 32px)); padding: 6px;
		display: grid; gap: 2px;
		border: 1px solid var(--_border); border-radius: 12px; background: var(--_surface); box-shadow: var(--_shadow);
	}
	.menu button { justify-content: start; border-radius: 8px; background: transparent; font-weight: 500; text-align: start; }
	.menu button:hover, .menu button:focus-visible { background: var(--_raised); }
	.menu button:focus-visible { outline-offset: -3px; }
	.menu button { justify-content: space-between; gap: 1.5em; }
`),
];

export const incomingStyles = [
	theme,
	sheet(`
	:host {
		position: fixed; inset-block-start: 16px; inset-inline-end: 16px; z-index: calc(var(--wc-z-index, 2147483000) + 2);
		inline-size: min(360px, calc(100vw - 32px));
	}
	.list { display: grid; gap: 12px; }
	.card {
		display: grid; grid-template-columns: auto 1fr; gap: 4px 14px; align-items: center; padding: 18px;
		border: 1px solid var(--_border); border-radius: var(--_radius);
		background: var(--_surface); box-shadow: var(--_shadow);
	}
	.avatar { grid-row: span 2; }
	.card:focus-visible { outline: 3px solid var(--_focus); outline-offset: 2px; }
	h2 { font-size: .85rem; font-weight: 600; color: var(--_muted); align-self: end; }
	.from { font-size: 1.05rem; font-weight: 650; overflow-wrap: anywhere; align-self: start; }
	.more { grid-column: 1 / -1; display: flex; align-items: center; gap: 8px; margin-block-start: 8px; }
	.more svg { color: var(--_muted); }
	.more .note { flex: 1; }
	.actions { grid-column: 1 / -1; display: grid; grid-template-columns: repeat(auto-fit, minmax(min(9rem, 100%), 1fr)); gap: 10px; margin-block-start: 12px; }
	.actions .wide { grid-column: 1 / -1; }
	.told { display: flex; align-items: center; gap: 12px; padding: 14px 18px; border: 1px solid var(--_border); border-radius: var(--_radius); background: var(--_surface); box-shadow: var(--_shadow); }
	.told svg { color: var(--_accept); }
	@media (prefers-reduced-motion: no-preference) {
		.card:not(.waiting) .avatar { animation: pulse 1.6s ease-out infinite; }
		@keyframes pulse {
			from { box-shadow: 0 0 0 0 color-mix(in srgb, var(--_accept) 60%, transparent); }
			to { box-shadow: 0 0 0 16px transparent; }
		}
	}
`),
];

export const viewStyles = [
	theme,
	sheet(`
	:host {
		position: fixed; inset-block-end: 16px; inset-inline-end: 16px; z-index: var(--wc-z-index, 2147483000);
		inline-size: min(520px, calc(100vw - 32px)); max-block-size: calc(100dvh - 32px);
	}
	:host([enlarged]) { inset: 0; inline-size: auto; max-block-size: none; }
	:host([minimised]) { inline-size: min(420px, calc(100vw - 32px)); }
	:host([minimised]) .stage { display: none; }
	:host([minimised]) header { padding-block: 8px 0; }
	:host([minimised]) .controls { gap: 8px; padding-block: 8px 10px; }
	:host([minimised]) .controls button { min-inline-size: 0; padding-inline: .8em; font-size: .92rem; }
	:host([idle]) { inline-size: 0; block-size: 0; overflow: hidden; }
	section {
		display: flex; flex-direction: column; overflow: hidden; max-block-size: inherit; block-size: 100%;
		border: 1px solid var(--_border); border-radius: var(--_radius);
		background: var(--_surface); box-shadow: var(--_shadow);
	}
	:host([enlarged]) section { border: 0; border-radius: 0; }
	header { display: flex; align-items: center; gap: 12px; padding: 10px 10px 10px 16px; padding-inline: 16px 10px; }
	h2 { font-size: 1rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
	.who { flex: 1; min-inline-size: 0; }
	.status { font-size: .85rem; color: var(--_muted); overflow-wrap: anywhere; }
	.status::first-letter { text-transform: uppercase; }
	time { font-variant-numeric: tabular-nums; font-size: .85rem; color: var(--_muted); }
	.stage { position: relative; flex: 1; min-block-size: 0; background: var(--_stage); color: #fff; aspect-ratio: 4 / 3; }
	:host([enlarged]) .stage { aspect-ratio: auto; }
	.remotes { position: absolute; inset: 0; display: grid; gap: 2px; grid-auto-rows: 1fr; grid-template-columns: repeat(var(--columns, 1), 1fr); }
	.remotes[data-count="2"], .remotes[data-count="3"], .remotes[data-count="4"] { --columns: 2; }
	.remotes[data-count="5"], .remotes[data-count="6"], .remotes[data-count="7"] { --columns: 3; }
	.party { position: relative; overflow: hidden; min-block-size: 0; display: grid; place-items: center; }
	video { display: block; inline-size: 100%; block-size: 100%; object-fit: cover; }
	.party video { position: absolute; inset: 0; }
	.party .avatar { position: relative; inline-size: 84px; block-size: 84px; font-size: 30px; }
	.party[data-picture] .avatar, .party:not([data-picture]) video { visibility: hidden; }
	.name {
		position: absolute; inset-block-end: 8px; inset-inline-start: 8px; max-inline-size: calc(100% - 16px); padding: 2px 10px;
		border-radius: 999px; background: rgb(0 0 0 / 55%); font-size: .8rem;
		overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
	}
	.self {
		position: absolute; inset-block-start: 12px; inset-inline-end: 12px; inline-size: min(28%, 240px); aspect-ratio: 4 / 3;
		overflow: hidden; border-radius: 10px; border: 2px solid rgb(255 255 255 / 70%); background: #26324a;
	}
	.embedded { position: absolute; inset: 0; display: grid; }
	.embedded > * { inline-size: 100%; block-size: 100%; border: 0; }
	.self[data-alone] { inset: 0; inline-size: 100%; block-size: 100%; aspect-ratio: auto; border: 0; border-radius: 0; }
	.self video { transform: scaleX(-1); }
	.self[data-dark] video { visibility: hidden; }
	.notice { display: flex; flex-wrap: wrap; align-items: center; gap: 10px 14px; padding: 12px 16px; background: var(--_raised); font-size: .9rem; }
	.notice svg { color: var(--_muted); }
	.notice .words { flex: 1 1 12rem; }
	.notice strong { display: block; }
	.notice button { background: var(--_surface); border-color: var(--_control); white-space: nowrap; }
	:host([away]) .stage { filter: grayscale(1) brightness(.6); }
	.again { display: flex; flex-wrap: wrap; gap: 8px; padding: 0 16px 12px; }
	.end-actions { display: flex; justify-content: end; gap: 8px; padding: 4px 12px 12px; }
	.controls { display: flex; flex-wrap: wrap; justify-content: center; gap: 8px; padding: 12px; }
	.controls a { align-self: center; color: var(--_accent); font-weight: 600; }
	.controls button { padding-inline: .85em; white-space: nowrap; }
	.controls button[data-off] { background: var(--_text); color: var(--_surface); }
	.corner { min-inline-size: 40px; padding: 0; }
	@media (max-width: 480px) {
		:host { inset-inline: 8px; inset-block-end: 8px; inline-size: auto; }
		.controls { gap: 8px; }
		.controls button { min-inline-size: 0; padding-inline: .8em; font-size: .92rem; }
	}
`),
];

export const noticeStyles = [
	theme,
	sheet(`
	:host {
		position: fixed; inset-block-start: 16px; inset-inline: 0; margin-inline: auto; z-index: calc(var(--wc-z-index, 2147483000) + 3);
		display: grid; gap: 8px; inline-size: min(480px, calc(100vw - 32px)); pointer-events: none;
	}
	.notice {
		display: flex; gap: 12px; align-items: start; padding: 12px 12px 12px 16px; padding-inline: 16px 12px; pointer-events: auto;
		border: 1px solid var(--_border); border-inline-start: 5px solid var(--_accent); border-radius: 10px;
		background: var(--_surface); box-shadow: var(--_shadow);
	}
	.notice[data-level=warn] { border-inline-start-color: light-dark(#b45309, #f0a43a); }
	.notice[data-level=error] { border-inline-start-color: var(--_danger); }
	.notice div { flex: 1; overflow-wrap: anywhere; }
	strong, span { display: block; }
	.corner { min-block-size: 32px; padding: 0 8px; }
`),
];
