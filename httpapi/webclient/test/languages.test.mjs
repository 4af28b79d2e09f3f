import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { englishMessages } from "../assets/messages.js";
import { Texts } from "../assets/texts.js";

const folder = new URL("../../messages/", import.meta.url);
const languages = new Map(readdirSync(folder).map((name) => [name.replace(".json", ""), JSON.parse(readFileSync(new URL(name, folder), "utf8"))]));
const subjects = [...new Set([...englishMessages.keys()].map((key) => key.split("#")[0]))];
const plurals = new Set([...englishMessages.keys()].filter((key) => key.includes("#")).map((key) => key.split("#")[0]));

test("there are many languages, the promised ones among them", () => {
	assert.ok(languages.size >= 12, String(languages.size));
	for (const lang of ["en", "fr", "de", "es", "ar", "vi"]) assert.ok(languages.has(lang), lang);
});

for (const [lang, texts] of languages) {
	test(`${lang} has each text, and each plural form that it needs`, () => {
		const forms = new Intl.PluralRules(lang).resolvedOptions().pluralCategories;
		const wanted = subjects.flatMap((key) => (plurals.has(key) ? forms.map((form) => `${key}#${form}`) : [key]));
		assert.deepEqual(Object.keys(texts).sort(), wanted.sort());
		for (const [key, text] of Object.entries(texts)) {
			assert.equal(text, text.trim(), key);
			assert.ok(text.length > 0 && !/[<>]/.test(text), `${key} is plain text`);
		}
	});

	test(`${lang} is used for every number`, () => {
		const { message, lang: tag } = bound({ lang, messages: texts });
		assert.equal(tag, lang);
		for (const key of plurals) {
			for (const count of [0, 1, 2, 3, 5, 11, 21, 100, 1_000_000]) {
				const text = message(key, { count, name: "Mary" });
				assert.ok(!text.includes("{") && !text.includes("webconferencing."), `${key} for ${count}: ${text}`);
				assert.ok(text.includes(new Intl.NumberFormat(lang).format(count)), `${key} for ${count}: ${text}`);
			}
		}
	});
}

function bound(source) {
	const texts = new Texts(() => source);
	return { message: (...args) => texts.message(...args), lang: texts.lang, direction: texts.direction };
}

test("numbers choose the plural form", () => {
	const of = (lang, count) => bound({ lang, messages: languages.get(lang) }).message("webconferencing.history.found", { count });
	assert.deepEqual([1, 2, 5].map((n) => of("pl", n)), ["1 połączenie", "2 połączenia", "5 połączeń"]);
	assert.deepEqual([1, 2].map((n) => of("en", n)), ["1 call", "2 calls"]);
	assert.equal(of("en", 12_345), "12,345 calls");
	assert.equal(of("de", 12_345), "12.345 Anrufe");
	assert.equal(bound({ lang: "xx" }).message("webconferencing.history.found", { count: 2 }), "2 calls", "English if there is nothing else");
});

test("Arabic runs from right to left, tags are taken as they come", () => {
	assert.equal(bound({ lang: "ar-EG" }).direction, "rtl");
	assert.equal(bound({ lang: "fr" }).direction, "ltr");
	assert.equal(bound({ lang: "de_AT" }).lang, "de-AT");
	for (const strange of ["", "not a language", "<b>"]) assert.equal(bound({ lang: strange }).lang, "en", strange);
});

test("dates and spans are in the user's language", () => {
	const texts = new Texts(() => ({ lang: "de" }));
	assert.match(texts.formatDate("2026-11-22T14:05:38.958Z", { dateStyle: "long", timeZone: "UTC" }), /22\. November 2026/);
	assert.equal(texts.formatDate("never"), "");
	assert.equal(texts.formatDuration(245_000), "4:05");
	assert.equal(texts.formatDuration(3_723_000), "1:02:03");
	assert.equal(texts.formatDuration(-5), "0:00");
});
