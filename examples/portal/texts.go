package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

//go:embed texts/*.json
var textFiles embed.FS

// language is one that the portal speaks. The elements of calls follow the
// page's lang and dir attributes.
type language struct {
	Tag  string
	Name string // in the language itself
	Dir  string // "ltr" or "rtl"
}

// languages are what the portal speaks; the first is for everybody else.
var languages = [...]language{
	{"en", "English", "ltr"},
	{"ar", "العربية", "rtl"},
	{"de", "Deutsch", "ltr"},
	{"es", "Español", "ltr"},
	{"fr", "Français", "ltr"},
	{"vi", "Tiếng Việt", "ltr"},
}

// texts are the portal's own words in one language, by key.
type texts map[string]string

// loadTexts reads a language and makes sure that it says everything.
func loadTexts(tag string) (texts, error) {
	read := func(tag string) (t texts, err error) {
		raw, err := textFiles.ReadFile("texts/" + tag + ".json")
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, fmt.Errorf("texts of %s: %w", tag, err)
		}
		return t, nil
	}
	t, err := read(tag)
	if err != nil {
		return nil, err
	}
	english, err := read(languages[0].Tag)
	if err != nil {
		return nil, err
	}
	for key := range english {
		if t[key] == "" {
			return nil, fmt.Errorf("texts of %s: %s is missing", tag, key)
		}
	}
	return t, nil
}

// say returns the words of a key, with values put in.
func (t texts) say(key string, values ...any) string {
	if len(values) == 0 {
		return t[key]
	}
	return fmt.Sprintf(t[key], values...)
}

// languageOf returns the language of a tag such as "fr-CA", or nil.
func languageOf(tag string) *language {
	base, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
	i := slices.IndexFunc(languages[:], func(l language) bool { return l.Tag == base })
	if i < 0 {
		return nil
	}
	return &languages[i]
}

// languageFor returns the language that was chosen in the settings, or the
// first one that the browser asks for and the portal speaks.
func languageFor(r *http.Request) language {
	if c, err := r.Cookie(languageCookie); err == nil {
		if l := languageOf(c.Value); l != nil {
			return *l
		}
	}
	for wish := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(wish, ";")
		if l := languageOf(tag); l != nil {
			return *l
		}
	}
	return languages[0]
}
