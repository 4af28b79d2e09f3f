// @ts-check
/**
 * Texts, numbers and dates in the user's language.
 *
 * A text with a number in it has one entry for each plural form of its
 * language, `key#one`, `key#few` and so on: which forms there are, and which
 * one a number takes, is what Intl.PluralRules says.
 */
import { englishMessages } from "./messages.js";

const rightToLeft = new Set(["ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"]);

/** Looks texts up and formats values. */
export class Texts {
	#source;
	/** @type {Map<string, Intl.PluralRules>} by language */
	#plurals = new Map();

	/**
	 * @param {() => {messages?: Record<string, string>, lang: string}} source
	 *   asked for each text, since the language may change
	 */
	constructor(source) {
		this.#source = source;
	}

	/** A language tag that Intl knows. */
	get lang() {
		return knownTag(this.#source().lang);
	}

	get direction() {
		return rightToLeft.has(this.lang.split("-")[0]) ? "rtl" : "ltr";
	}

	/**
	 * @param {string} key
	 * @param {Record<string, string | number>} [values] a number in `count`
	 *   chooses the plural form
	 */
	message(key, values = {}) {
		const { messages } = this.#source();
		const text = this.#find(key, values.count, this.lang, (name) => (messages && Object.hasOwn(messages, name) ? messages[name] : undefined))
			?? this.#find(key, values.count, "en", (name) => englishMessages.get(name))
			?? key;
		return String(text).replace(/\{(\w+)\}/g, (all, name) => (Object.hasOwn(values, name) ? this.#shown(values[name]) : all));
	}

	/**
	 * @param {string} key
	 * @param {string | number | undefined} count
	 * @param {string} lang
	 * @param {(name: string) => string | undefined} lookUp
	 */
	#find(key, count, lang, lookUp) {
		if (typeof count !== "number") return lookUp(key);
		return lookUp(`${key}#${this.#pluralRules(lang).select(count)}`) ?? lookUp(`${key}#other`) ?? lookUp(key);
	}

	/** @param {string} lang */
	#pluralRules(lang) {
		let rules = this.#plurals.get(lang);
		if (!rules) {
			rules = new Intl.PluralRules(lang);
			this.#plurals.set(lang, rules);
		}
		return rules;
	}

	/** @param {string | number} value */
	#shown(value) {
		return typeof value === "number" ? this.formatNumber(value) : value;
	}

	/** @param {number} value */
	formatNumber(value) {
		return new Intl.NumberFormat(this.lang).format(value);
	}

	/**
	 * A moment as the user reads it; "" if it is none.
	 *
	 * @param {Date | string | number} moment
	 * @param {Intl.DateTimeFormatOptions} [options] Defaults to a medium date and
	 *   a short time.
	 */
	formatDate(moment, options = { dateStyle: "medium", timeStyle: "short" }) {
		const date = new Date(moment);
		return Number.isFinite(date.getTime()) ? new Intl.DateTimeFormat(this.lang, options).format(date) : "";
	}

	/**
	 * A span of time as clocks show it: 4:05 or 1:02:03.
	 *
	 * @param {number} ms
	 */
	formatDuration(ms) {
		const seconds = Math.max(0, Math.floor(ms / 1000));
		const two = new Intl.NumberFormat(this.lang, { minimumIntegerDigits: 2, useGrouping: false });
		const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
		if (seconds >= 3600) parts.unshift(Math.floor(seconds / 3600));
		return parts.map((n, i) => (i === 0 ? this.formatNumber(n) : two.format(n))).join(":");
	}
}

/** @param {string} tag */
function knownTag(tag) {
	try {
		return Intl.getCanonicalLocales(String(tag).replaceAll("_", "-"))[0] ?? "en";
	} catch {
		return "en";
	}
}
